/** What signs the mail that leaves here, and with which keys. Starts and changes nothing. */
import type { Signing } from '../../domains/dkim.js';
import { amavisFiles } from '../amavis-files.js';
import type { Paths } from '../paths.js';
import { readConfig, type ConfigView } from '../postfix/config-view.js';
import { daemonOf } from '../services/daemons.js';
import { AMAVIS } from '../services/scanners.js';
import { amavisKeys } from './amavis.js';
import { opendkimKeys } from './opendkim.js';

export async function signingOf(paths: Paths): Promise<Signing> {
  const view = await readConfig(paths.configDir, paths);
  const scanned = asks(view, ['content_filter', 'smtpd_proxy_filter']);
  const milters = asks(view, ['smtpd_milters', 'non_smtpd_milters']);
  const [amavis, opendkim] = await Promise.all([
    scanned && daemonOf(AMAVIS, paths).installed()
      ? amavisKeys(await amavisFiles(paths), `${paths.root}/run`)
      : [],
    milters ? opendkimKeys(`${paths.root}/etc/opendkim.conf`) : [],
  ]);
  return {
    keys: [...(amavis ?? []), ...(opendkim ?? [])],
    unreadable: [
      ...(amavis === null ? ['amavis'] : []),
      ...(opendkim === null ? ['OpenDKIM'] : []),
    ],
  };
}

/** Whether Postfix hands mail to somebody by one of these parameters, for all its services or for one. */
export function asks(
  { parameter, master }: Pick<ConfigView, 'parameter' | 'master'>,
  names: readonly string[],
): boolean {
  return names.some(
    (name) =>
      parameter(name) !== '' || master.some(({ line }) => new RegExp(`-o ${name}=\\S`).test(line)),
  );
}
