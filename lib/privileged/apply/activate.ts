/** Makes the running Postfix take the new configuration: only what changed, and only as much as it needs. */
import { HelperError } from '../../errors.js';
import type { ConfigView } from '../postfix/config-view.js';
import type { ApplyResult } from '../protocol.js';
import type { PostfixService } from '../services/postfix.js';

/** Parameters master(8) reads only when it starts (postconf(5): "stop and start Postfix"). */
const NEED_RESTART = ['inet_interfaces', 'inet_protocols', 'queue_directory', 'data_directory'];

export type Activation = ApplyResult['activation'];

/** Tables need nothing, parameters and services a reload, addresses to listen on a restart. */
export function activationFor(before: ConfigView, after: ConfigView): Exclude<Activation, 'start'> {
  if (NEED_RESTART.some((name) => before.parameter(name) !== after.parameter(name)))
    return 'restart';
  const changed =
    text(before) !== text(after) ||
    before.master.map(({ line }) => line).join('\n') !==
      after.master.map(({ line }) => line).join('\n');
  return changed ? 'reload' : 'none';
}

function text(view: ConfigView): string {
  return [...view.set].map(([name, value]) => `${name}=${value}`).join('\n');
}

/** Throws at stage `activate` when the service does not come up or the reload is refused. */
export async function activate(service: PostfixService, how: Activation): Promise<Activation> {
  if (!(await service.running())) {
    if (!(await service.start())) throw failed('helper.activate.start', '');
    return 'start';
  }
  if (how === 'restart' && !(await service.restart())) throw failed('helper.activate.start', '');
  if (how === 'reload') {
    const answer = await service.reload();
    if (answer.code !== 0) throw failed('helper.activate.reload', answer.stderr);
  }
  return how;
}

function failed(key: string, detail: string): HelperError {
  return new HelperError({ stage: 'activate', key, values: {}, detail, restored: false });
}
