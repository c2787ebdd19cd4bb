/** `bulk-door`: where Postfix takes mail from this machine, and how large it may be. */
import type { BulkDoor } from '../../bulk/schema.js';
import { HelperError } from '../../errors.js';
import { readConfig } from '../postfix/config-view.js';
import { publicListener, reachable } from '../postfix/listeners.js';
import { defineAction, plainParams } from './action.js';

export const bulkDoorAction = defineAction({
  quiet: true,
  timeoutMs: 30_000,
  params: plainParams<object>({}),
  run: async (_params, { paths }): Promise<BulkDoor> => {
    const view = await readConfig(paths.configDir, paths);
    const listener = publicListener(view.master);
    if (listener === null) throw noListener();
    const option = /smtpd_proxy_filter=(\S*)/.exec(listener.entry.line)?.[1];
    return {
      ...reachable(listener, view),
      sizeLimit: Number(view.parameter('message_size_limit')) || 0,
      filtered: (option ?? view.parameter('smtpd_proxy_filter')) !== '',
    };
  },
});

function noListener(): HelperError {
  const key = 'helper.run.noListener';
  return new HelperError({ stage: 'run', key, values: {}, detail: '', restored: true });
}
