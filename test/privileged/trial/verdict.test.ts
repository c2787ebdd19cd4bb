import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judgeDelivery, type VerdictCause } from '../../../lib/privileged/trial/verdict.js';

const HOST = 'mail.example.org[192.0.2.1]';
const PEER = `${HOST}:587`;

function status(words: string, reply: string, relay = PEER): string {
  return `4B1: to=<x@example.net>, relay=${relay}, delay=1, delays=0/0/0/0, dsn=4.0.0, status=${words} (${reply})`;
}

const TRUSTED = `Trusted TLS connection established to ${PEER}: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)`;
const CERTIFICATE = `server certificate verification failed for ${PEER}: `;

/** What Postfix 3.7 says, by what it means. */
const CAUSES: Readonly<Record<string, readonly [VerdictCause, ...string[]]>> = {
  'connect to mail.example.org[192.0.2.1]:587: Connection refused': ['connectionRefused'],
  'connect to mail.example.org[192.0.2.1]:587: Connection timed out': ['unreachable'],
  'connect to mail.example.org[192.0.2.1]:587: No route to host': ['unreachable'],
  'Host or domain name not found. Name service error for name=mail.example.org type=A: Host not found':
    ['unknownHost'],
  'Host or domain name not found. Name service error for name=mail.example.org type=A: Host not found, try again':
    ['noNameServer'],
  'conversation with mail.example.org[192.0.2.1] timed out while receiving the initial server greeting':
    ['noGreeting'],
  'host mail.example.org[192.0.2.1] refused to talk to me: 421 4.7.0 try later': ['turnedAway'],
  'lost connection with mail.example.org[192.0.2.1] while performing the EHLO handshake': ['lost'],
  'TLS is required, but was not offered by host mail.example.org[192.0.2.1]': ['tlsMissing'],
  'Cannot start TLS: handshake failure': ['tlsFailed'],
  'SASL authentication failed; server mail.example.org[192.0.2.1] said: 535 5.7.8 no': [
    'loginRefused',
  ],
  'SASL authentication failed; cannot authenticate to server mail.example.org[192.0.2.1]: no mechanism available':
    ['loginMechanism', TRUSTED],
  'host mail.example.org[192.0.2.1] said: 550 5.7.1 not you (in reply to MAIL FROM command)': [
    'senderRefused',
  ],
  'host mail.example.org[192.0.2.1] said: 554 5.7.1 no relay (in reply to RCPT TO command)': [
    'recipientRefused',
  ],
  'host mail.example.org[192.0.2.1] said: 450 4.2.0 greylisted (in reply to RCPT TO command)': [
    'wait',
  ],
  'mail for mail.example.org loops back to myself': ['loop'],
  'Server certificate not verified': ['certificateBad'],
  'something nobody has heard of': ['other'],
};

describe('the verdict about a delivery', () => {
  it('names what is wrong, from the words of Postfix', () => {
    for (const [reply, [cause, ...before]] of Object.entries(CAUSES)) {
      const verdict = judgeDelivery([...before, status('undeliverable', reply)], [], true);
      assert.equal(verdict.cause, cause, reply);
      assert.equal(verdict.ok, false);
      assert.equal(verdict.detail, reply);
    }
  });

  it('names what is wrong with a certificate', () => {
    const faults: Readonly<Record<string, VerdictCause>> = {
      'certificate has expired': 'certificateExpired',
      'num=62:hostname mismatch': 'certificateName',
      'self-signed certificate': 'certificateSelfSigned',
      'self signed certificate': 'certificateSelfSigned',
      'untrusted issuer /CN=Somebody': 'certificateUntrusted',
      'unable to get local issuer certificate': 'certificateUntrusted',
      'self-signed certificate in certificate chain': 'certificateUntrusted',
      'certificate revoked': 'certificateBad',
    };
    for (const [words, cause] of Object.entries(faults)) {
      const messages = [
        CERTIFICATE + words,
        status('undeliverable', 'Server certificate not verified'),
      ];
      assert.equal(judgeDelivery(messages, [], false).cause, cause, words);
    }
  });

  it('knows a port that does not begin with TLS', () => {
    const messages = [
      'warning: TLS library problem: error:0A00010B:SSL routines::wrong version number:x.c:350:',
      status('undeliverable', 'Cannot start TLS: handshake failure'),
    ];
    assert.equal(judgeDelivery(messages, [], false).cause, 'tlsNotWrapped');
  });

  it('knows a login that would have sent the password readable', () => {
    const refused = status('undeliverable', 'SASL authentication failed; no mechanism available');
    const offers = ['< 250-AUTH PLAIN LOGIN', '< 250 DSN'];
    assert.equal(judgeDelivery([refused], offers, true).cause, 'loginReadable');
    assert.equal(judgeDelivery([TRUSTED, refused], offers, true).cause, 'loginMechanism');
    assert.equal(judgeDelivery([refused], ['< 250 AUTH NTLM'], true).cause, 'loginMechanism');
  });

  it('is good when the server took sender and recipient, and says how that was', () => {
    const messages = [TRUSTED, status('deliverable', '250 2.1.5 Ok')];
    assert.deepEqual(judgeDelivery(messages, ['> AUTH CRAM-MD5'], true), {
      ok: true,
      cause: 'works',
      encryption: { trust: 'trusted', protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' },
      mechanism: 'CRAM-MD5',
      server: PEER,
      detail: '250 2.1.5 Ok',
    });
  });

  it('says when a login is set up that the server never asked for', () => {
    const messages = [status('deliverable', '250 2.1.5 Ok')];
    assert.equal(judgeDelivery(messages, [], true).cause, 'noLoginOffered');
    assert.equal(judgeDelivery(messages, [], false).cause, 'works');
  });

  it('is that the server was too slow when there is no final word', () => {
    const verdict = judgeDelivery([TRUSTED], [], true);
    assert.equal(verdict.cause, 'tooSlow');
    assert.equal(verdict.ok, false);
  });
});
