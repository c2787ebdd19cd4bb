/** `security-test`: a mail that a scanner has to find goes the way of real mail, and is followed to its end. */
import Joi from 'joi';
import { SELF_TESTS } from '../../security/work.js';
import { plainAddress } from '../../smarthost/address.js';
import { SELF_TEST_LIMIT_MS, selfTest, type SelfTestOrder } from '../scanning/self-test.js';
import { defineAction } from './action.js';
import { oneLine, severalLines } from './test-message.js';

export const securityTestAction = defineAction({
  timeoutMs: SELF_TEST_LIMIT_MS,
  changes: 'told',
  params: Joi.object<SelfTestOrder>({
    what: Joi.string()
      .valid(...SELF_TESTS)
      .required(),
    recipient: plainAddress.allow('').required(),
    subject: Joi.string().max(200).pattern(oneLine).required(),
    text: Joi.string().max(4_000).pattern(severalLines).required(),
  }),
  redact: ({ what, recipient }) => ({ what, recipient }),
  run: selfTest,
});
