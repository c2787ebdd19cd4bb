import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encodePublicKey, isSealed, open, seal } from '../../lib/secrets/seal.js';

const pair = generateKeyPairSync('x25519');
const publicKey = encodePublicKey(pair.publicKey);
const binding = ['smarthost', 'user', 'mail.example.org', '587', 'starttls'];

describe('a sealed box', () => {
  it('opens to the same secret, whatever it holds', () => {
    const text = fc.string({ unit: 'binary' });
    fc.assert(
      fc.property(text, fc.array(text, { maxLength: 5 }), (secret, words) => {
        const box = seal(publicKey, secret, words);
        assert.ok(isSealed(box));
        assert.equal(open(pair.privateKey, box, words), secret);
      }),
      { numRuns: 50 },
    );
  });

  it('is another one each time, and shows neither secret nor binding', () => {
    const boxes = [1, 2].map(() => seal(publicKey, 'same secret', binding));
    assert.notEqual(boxes[0], boxes[1]);
    for (const box of boxes) {
      const raw = Buffer.from(box.slice(4), 'base64url');
      assert.equal(raw.includes('secret'), false);
      assert.equal(raw.includes('example'), false);
    }
  });

  it('opens nowhere else than where it is bound to', () => {
    const box = seal(publicKey, 'secret', binding);
    const others = [
      [],
      binding.slice(1),
      [...binding, ''],
      binding.with(3, '465'),
      binding.with(2, 'mail.example.com'),
      // Words that would read alike when strung together.
      ['smarthostuser', '', 'mail.example.org', '587', 'starttls'],
      ['smarthost', 'usermail.example.org', '587', 'starttls'],
      binding.toReversed(),
    ];
    for (const other of others) {
      assert.throws(() => open(pair.privateKey, box, other), RangeError, other.join('|'));
    }
  });

  it('opens with no other key', () => {
    const box = seal(publicKey, 'secret', binding);
    const other = generateKeyPairSync('x25519');
    assert.throws(() => open(other.privateKey, box, binding), RangeError);
  });

  it('does not open when one bit of it was changed, or it was cut', () => {
    const box = seal(publicKey, 'secret', binding);
    const raw = Buffer.from(box.slice(4), 'base64url');
    for (let at = 0; at < raw.length; at += 1) {
      const changed = Buffer.from(raw);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      const text = `mb1.${changed.toString('base64url')}`;
      assert.throws(() => open(pair.privateKey, text, binding), RangeError, `byte ${at}`);
      const cut = `mb1.${raw.subarray(0, at).toString('base64url')}`;
      assert.throws(() => open(pair.privateKey, cut, binding), RangeError, `${at} bytes`);
    }
  });

  it('is told from what is none', () => {
    for (const text of [
      '',
      'mb1.',
      'password',
      `mb2.${'A'.repeat(100)}`,
      `mb1.${'!'.repeat(100)}`,
    ]) {
      assert.equal(isSealed(text), false, text);
      assert.throws(() => open(pair.privateKey, text, binding), RangeError, text);
    }
  });

  it('is not made for what is no public key', () => {
    for (const key of ['', 'short', `${publicKey}AA`]) {
      assert.throws(() => seal(key, 'secret', binding), RangeError, key);
    }
  });

  it('does not open with a sender key of small order, which would make the secret key a known one', () => {
    // The shared secret would be zero for everybody (RFC 7748 6.1); node:crypto refuses it.
    const raw = Buffer.concat([Buffer.alloc(32), Buffer.alloc(12), Buffer.alloc(20)]);
    const box = `mb1.${raw.toString('base64url')}`;
    assert.throws(() => open(pair.privateKey, box, binding), RangeError);
  });
});
