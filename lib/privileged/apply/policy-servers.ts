/** Makes the policy servers follow their files: started, started anew, or stopped. */
import { existsSync } from 'node:fs';
import { HelperError } from '../../errors.js';
import { readText } from '../files.js';
import type { Paths } from '../paths.js';
import { portsOf } from '../ports.js';
import { daemonOf, type Daemon } from '../services/daemons.js';
import { POLICY_SERVERS, type PolicyServer } from '../services/policy-servers.js';
import type { Attempt } from '../services/postfix.js';

/**
 * Throws at stage `activate` when one that is wanted does not answer. `changed` are absolute paths; `asked` says that the
 * change is proved by their answers: then one that died is started, although nothing changes for it.
 */
export async function followPolicyFiles(
  paths: Paths,
  changed: Iterable<string>,
  asked: boolean,
): Promise<void> {
  const files = new Set(changed);
  for (const server of POLICY_SERVERS) {
    const own = [server.file, ...server.others].map((file) => paths.root + file);
    if (own.some((file) => files.has(file))) await follow(server, paths);
    else if (asked && existsSync(paths.root + server.file)) await wake(server, paths);
  }
}

async function wake({ definition }: PolicyServer, paths: Paths): Promise<void> {
  const daemon = daemonOf(definition, paths);
  if (await daemon.answers()) return;
  // One that runs and does not answer will not begin to.
  mustBeUp(await ((await daemon.running()) ? daemon.restart() : daemon.start()), daemon);
}

function mustBeUp({ up, service, said }: Attempt, { name }: Daemon): void {
  if (up) return;
  throw new HelperError({
    stage: 'activate',
    key: 'helper.activate.policyServer',
    values: { service: service || name },
    detail: said,
    restored: false,
  });
}

async function follow(server: PolicyServer, paths: Paths): Promise<void> {
  const daemon = daemonOf(server.definition, paths);
  const wanted = existsSync(paths.root + server.file);
  // One that somebody else's restrictions ask would be missed: then it goes on as its package has it.
  if (!wanted && !(await isAskedBesides(server, paths))) {
    await daemon.stop();
    await daemon.enableAtBoot(false);
    return;
  }
  if (!wanted && paths.root !== '') return daemon.stop();
  await daemon.enableAtBoot(true);
  mustBeUp(await daemon.restart(), daemon);
}

async function isAskedBesides({ port }: PolicyServer, paths: Paths): Promise<boolean> {
  const number = (await portsOf(paths))[port];
  const texts = await Promise.all(
    ['main.cf', 'master.cf'].map((name) => readText(`${paths.configDir}/${name}`)),
  );
  const asks = new RegExp(`check_policy_service[^#]*:${number}\\b`);
  return texts.some((text) => asks.test(text ?? ''));
}
