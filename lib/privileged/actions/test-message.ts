/** `test-message`: one short message through the real queue, followed to its end. */
import Joi from 'joi';
import { plainAddress } from '../../smarthost/address.js';
import { FOLLOW_LIMIT_MS, sendTestMessage, type MessageOrder } from '../trial/message.js';
import { defineAction } from './action.js';

/** Text without a line end or anything else that no line holds. */
export const oneLine = /^[^\p{Cc}\p{Cs}\u2028\u2029]*$/u;
export const severalLines = /^(?:[^\p{Cc}\p{Cs}\u2028\u2029]|\n)*$/u;

export const testMessageAction = defineAction({
  timeoutMs: FOLLOW_LIMIT_MS + 60_000,
  changes: 'told',
  params: Joi.object<MessageOrder>({
    sender: plainAddress.required(),
    recipient: plainAddress.required(),
    subject: Joi.string().max(200).pattern(oneLine).required(),
    text: Joi.string().max(4_000).pattern(severalLines).required(),
  }),
  redact: ({ sender, recipient }) => ({ sender, recipient }),
  run: async (order, context) => {
    await context.changing();
    return sendTestMessage(order, context);
  },
});
