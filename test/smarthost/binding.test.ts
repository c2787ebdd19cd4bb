import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import { encodePublicKey, open, seal } from '../../lib/secrets/seal.js';
import { bindingOf, keepsPassword, openPassword } from '../../lib/smarthost/binding.js';
import { NO_SMARTHOST, type SmarthostSettings } from '../../lib/smarthost/schema.js';

const pair = generateKeyPairSync('x25519');
const target = { ...NO_SMARTHOST, host: 'mail.example.org', username: 'me' };
const unseal = (box: string, binding: readonly string[]) => open(pair.privateKey, box, binding);

function entered(settings: SmarthostSettings): string {
  return seal(encodePublicKey(pair.publicKey), 'secret', bindingOf(settings));
}

/** From the weakest to the strictest connection. */
const CONNECTIONS = [
  { tls: 'none', verify: false },
  { tls: 'may', verify: false },
  { tls: 'starttls', verify: false },
  { tls: 'starttls', verify: true },
] as const;

describe('a sealed smarthost password', () => {
  it('opens for the connection it was entered for and for stricter ones, for no weaker one', () => {
    for (const [index, weak] of CONNECTIONS.entries()) {
      const box = entered({ ...target, ...weak });
      for (const [at, connection] of CONNECTIONS.entries()) {
        const settings = { ...target, ...connection, password: box };
        const words = `${JSON.stringify(weak)} → ${JSON.stringify(connection)}`;
        if (at >= index) assert.equal(openPassword(settings, unseal), 'secret', words);
        else assert.throws(() => openPassword(settings, unseal), RangeError, words);
        assert.equal(keepsPassword({ ...target, ...weak }, settings), at >= index, words);
      }
    }
  });

  it('takes STARTTLS and SMTPS for equally strict', () => {
    const box = entered(target);
    const smtps = { ...target, tls: 'smtps', password: box } as const;
    assert.equal(openPassword(smtps, unseal), 'secret');
    assert.ok(keepsPassword(target, smtps));
    assert.ok(keepsPassword(smtps, target));
  });

  it('knows no certificate check where there is no encryption to check', () => {
    const asked = { ...target, tls: 'may', verify: true } as const;
    assert.ok(keepsPassword(asked, { ...asked, verify: false }));
    assert.ok(!keepsPassword(target, asked));
  });

  it('opens for no other server, port, user, nor for an MX lookup', () => {
    const box = entered(target);
    const others: Partial<SmarthostSettings>[] = [
      { host: 'mail.attacker.example' },
      { port: 588 },
      { username: 'you' },
      { mx: true },
    ];
    for (const other of others) {
      const settings = { ...target, ...other, password: box };
      assert.throws(() => openPassword(settings, unseal), RangeError);
      assert.ok(!keepsPassword(target, settings));
    }
  });
});
