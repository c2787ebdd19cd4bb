/** Makes the policy servers follow their files: started, started anew, or stopped. */
import { existsSync } from 'node:fs';
import { HelperError } from '../../errors.js';
import { readText } from '../files.js';
import type { Paths } from '../paths.js';
import { portsOf } from '../ports.js';
import { daemonOf } from '../services/daemons.js';
import { POLICY_SERVERS, type PolicyServer } from '../services/policy-servers.js';

/** Throws at stage `activate` when one that is wanted does not answer. `changed` are absolute paths. */
export async function followPolicyFiles(paths: Paths, changed: Iterable<string>): Promise<void> {
  const files = new Set(changed);
  for (const server of POLICY_SERVERS) {
    const own = [server.file, ...server.others].map((file) => paths.root + file);
    if (own.some((file) => files.has(file))) await follow(server, paths);
  }
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
  const { up, service, said } = await daemon.restart();
  if (up) return;
  throw new HelperError({
    stage: 'activate',
    key: 'helper.activate.policyServer',
    values: { service: service || daemon.name },
    detail: said,
    restored: false,
  });
}

async function isAskedBesides({ port }: PolicyServer, paths: Paths): Promise<boolean> {
  const number = (await portsOf(paths))[port];
  const texts = await Promise.all(
    ['main.cf', 'master.cf'].map((name) => readText(`${paths.configDir}/${name}`)),
  );
  const asks = new RegExp(`check_policy_service[^#]*:${number}\\b`);
  return texts.some((text) => asks.test(text ?? ''));
}
