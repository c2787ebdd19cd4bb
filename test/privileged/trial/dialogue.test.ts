import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  mechanismOf,
  offeredMechanisms,
  spokenLines,
} from '../../../lib/privileged/trial/dialogue.js';

const PEER = 'mail.example.org[192.0.2.1]:587';
/** The way smtp(8) logs a dialogue, with what else it says about a login at that level. */
const LOG = [
  `< ${PEER}: 220 mail.example.org ESMTP`,
  `> ${PEER}: EHLO us.example.org`,
  `< ${PEER}: 250-mail.example.org`,
  `< ${PEER}: 250-AUTH PLAIN LOGIN`,
  `< ${PEER}: 250 DSN`,
  "smtp_sasl_passwd_lookup: host `mail.example.org' user `me' pass `canary'",
  'xsasl_cyrus_client_get_passwd: canary',
];

describe('the dialogue of a trial', () => {
  it('is what was spoken, and nothing that is only in the log', () => {
    assert.deepEqual(spokenLines(LOG), [
      '< 220 mail.example.org ESMTP',
      '> EHLO us.example.org',
      '< 250-mail.example.org',
      '< 250-AUTH PLAIN LOGIN',
      '< 250 DSN',
    ]);
  });

  it('stars a login in one line, in several lines, and one that is refused', () => {
    const secret = Buffer.from('\0me\0canary').toString('base64');
    const lines = [
      ...LOG,
      `> ${PEER}: AUTH PLAIN ${secret}`,
      `< ${PEER}: 535 5.7.8 no`,
      `> ${PEER}: AUTH LOGIN`,
      `< ${PEER}: 334 VXNlcm5hbWU6`,
      `> ${PEER}: ${Buffer.from('me').toString('base64')}`,
      `< ${PEER}: 334 ${Buffer.from('canary').toString('base64')}`,
      `> ${PEER}: ${Buffer.from('canary').toString('base64')}`,
      `< ${PEER}: 235 2.7.0 Welcome`,
      `> ${PEER}: MAIL FROM:<me@example.org>`,
    ];
    assert.deepEqual(spokenLines(lines).slice(5), [
      '> AUTH PLAIN ***',
      '< 535 5.7.8 no',
      '> AUTH LOGIN',
      '< 334 ***',
      '> ***',
      '< 334 ***',
      '> ***',
      '< 235 2.7.0 Welcome',
      '> MAIL FROM:<me@example.org>',
    ]);
  });

  it('tells which login was tried, and which ones were offered', () => {
    const spoken = spokenLines([...LOG, `> ${PEER}: AUTH LOGIN`]);
    assert.equal(mechanismOf(spoken), 'LOGIN');
    assert.deepEqual(offeredMechanisms(spoken), ['PLAIN', 'LOGIN']);
    assert.equal(mechanismOf(spokenLines(LOG)), null);
    assert.deepEqual(offeredMechanisms([]), []);
  });
});
