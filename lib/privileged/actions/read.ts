/** `read`: what the present configuration means in the words of the sections. Changes nothing. */
import { statfs } from 'node:fs/promises';
import Joi from 'joi';
import { sectionOrRefuse } from '../apply/render.js';
import { readConfig } from '../postfix/config-view.js';
import { secretsOf } from '../secrets.js';
import { readState } from '../state.js';
import { defineAction } from './action.js';

/** Parameters pages explain themselves with; nothing secret among them. */
const EXPLAINING = [
  'myhostname',
  'mydestination',
  'myorigin',
  'message_size_limit',
  'mailbox_size_limit',
  'queue_minfree',
  'maximal_queue_lifetime',
  'minimal_backoff_time',
  'maximal_backoff_time',
  'relayhost',
  'recipient_delimiter',
] as const;

export const readAction = defineAction({
  quiet: true,
  timeoutMs: 20_000,
  params: Joi.object<{ sections: readonly string[] }>({
    sections: Joi.array().items(Joi.string().max(64)).max(64).required(),
  }),
  run: async ({ sections }, { paths, registry }) => {
    const [view, state, known, disk] = await Promise.all([
      readConfig(paths.configDir, paths, secretsOf(paths)),
      readState(paths),
      registry(),
      statfs(paths.queueDir),
    ]);
    const described = sections.map((id) => {
      const { settings, unclear } = sectionOrRefuse(known, id).read(view);
      return [id, { settings, unclear, applied: id in state.sections }] as const;
    });
    return {
      sections: Object.fromEntries(described),
      /** Room for mail in the queue, in bytes. */
      queueFreeBytes: disk.bavail * disk.bsize,
      effective: Object.fromEntries(EXPLAINING.map((name) => [name, view.parameter(name)])),
    };
  },
});
