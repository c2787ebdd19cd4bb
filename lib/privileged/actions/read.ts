/** `read`: what the present configuration means in the words of the sections. Changes nothing. */
import { statfs } from 'node:fs/promises';
import Joi from 'joi';
import { findDrift } from '../apply/drift.js';
import { sectionOrRefuse } from '../apply/render.js';
import { publicKey } from '../keys.js';
import { withoutEdits } from '../postfix/as-written.js';
import { readConfig } from '../postfix/config-view.js';
import { shownValue } from '../../sections/secret-values.js';
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
  params: Joi.object<{ sections: readonly string[]; edits?: readonly string[] }>({
    sections: Joi.array().items(Joi.string().max(64)).max(64).required(),
    /** Names of hand edits that count; in the place of all others stands what we wrote. Absent: all count. */
    edits: Joi.array().items(Joi.string().max(256)).max(1_000),
  }),
  run: async ({ sections, edits }, { paths, registry }) => {
    // A password that is found is sealed at once, also before anybody else asked for the key.
    await publicKey(paths);
    const [view, state, known, disk] = await Promise.all([
      readConfig(paths.configDir, paths, secretsOf(paths)),
      readState(paths),
      registry(),
      statfs(paths.queueDir),
    ]);
    const drift = await findDrift(state, view, paths, known);
    const seen = edits
      ? await withoutEdits(
          view,
          drift.filter(({ name }) => !edits.includes(name)),
        )
      : view;
    const described = sections.map((id) => {
      const { settings, unclear } = sectionOrRefuse(known, id).read(seen);
      const shown = unclear.map((one) => ({ ...one, value: shownValue(one.parameter, one.value) }));
      const edited = drift.filter(({ section }) => section === id).map(({ name }) => name);
      return [id, { settings, unclear: shown, edited, applied: id in state.sections }] as const;
    });
    return {
      sections: Object.fromEntries(described),
      /** Room for mail in the queue, in bytes. */
      queueFreeBytes: disk.bavail * disk.bsize,
      effective: Object.fromEntries(EXPLAINING.map((name) => [name, view.parameter(name)])),
    };
  },
});
