/**
 * Sealed boxes: the web side seals a secret to the helper's public key and cannot open it again.
 * X25519 with an ephemeral key, HKDF-SHA256, AES-256-GCM (RFC 7748, RFC 5869, NIST SP 800-38D).
 * The binding (row, user, server, port, TLS level ...) is associated data: a box opens nowhere else.
 */
import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
  type KeyObject,
} from 'node:crypto';

const PREFIX = 'mb1.';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const PUBLIC_KEY_BYTES = 32;

/** The public key as base64url of its 32 raw bytes. JWK (RFC 8037) is many times as quick as DER in OpenSSL 3. */
export function encodePublicKey(key: KeyObject): string {
  return key.export({ format: 'jwk' }).x ?? '';
}

function decodePublicKey(text: string): KeyObject {
  const raw = Buffer.from(text, 'base64url');
  if (raw.length !== PUBLIC_KEY_BYTES) throw new RangeError('not an X25519 public key');
  const key = { kty: 'OKP', crv: 'X25519', x: raw.toString('base64url') };
  return createPublicKey({ key, format: 'jwk' });
}

/** Seals `secret` for the holder of `publicKey`, bound to `binding`. Returns printable ASCII. */
export function seal(publicKey: string, secret: string, binding: readonly string[]): string {
  const recipient = decodePublicKey(publicKey);
  const ephemeral = generateKeyPairSync('x25519');
  const sender = Buffer.from(encodePublicKey(ephemeral.publicKey), 'base64url');
  const key = deriveKey(ephemeral.privateKey, recipient, sender, rawKey(publicKey));
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(encodeBinding(binding));
  const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
  return PREFIX + Buffer.concat([sender, nonce, sealed, cipher.getAuthTag()]).toString('base64url');
}

/** Opens a box. Throws a `RangeError` when it is damaged, sealed to another key, or bound elsewhere. */
export function open(privateKey: KeyObject, box: string, binding: readonly string[]): string {
  const raw = box.startsWith(PREFIX) ? Buffer.from(box.slice(PREFIX.length), 'base64url') : null;
  if (!raw || raw.length < PUBLIC_KEY_BYTES + NONCE_BYTES + TAG_BYTES) {
    throw new RangeError('not a sealed box');
  }
  const sender = raw.subarray(0, PUBLIC_KEY_BYTES);
  const nonce = raw.subarray(PUBLIC_KEY_BYTES, PUBLIC_KEY_BYTES + NONCE_BYTES);
  const sealed = raw.subarray(PUBLIC_KEY_BYTES + NONCE_BYTES, -TAG_BYTES);
  try {
    const peer = decodePublicKey(sender.toString('base64url'));
    const key = deriveKey(privateKey, peer, sender, rawKeyOf(privateKey));
    const decipher = createDecipheriv('aes-256-gcm', key, nonce)
      .setAAD(encodeBinding(binding))
      .setAuthTag(raw.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(sealed), decipher.final()]).toString('utf8');
  } catch (error) {
    throw new RangeError('a sealed box that does not belong here', { cause: error });
  }
}

/** Whether a text looks like a sealed box; says nothing about who can open it. */
export function isSealed(text: string): boolean {
  return /^mb1\.[A-Za-z0-9_-]{80,}$/.test(text);
}

function deriveKey(
  privateKey: KeyObject,
  publicKey: KeyObject,
  sender: Buffer,
  recipient: Buffer,
): Buffer {
  const shared = diffieHellman({ privateKey, publicKey });
  const salt = Buffer.concat([sender, recipient]);
  return Buffer.from(hkdfSync('sha256', shared, salt, 'mailserver sealed box 1', 32));
}

function rawKey(publicKey: string): Buffer {
  return Buffer.from(publicKey, 'base64url');
}

/** Hundreds of boxes are opened with one key. */
const rawKeys = new WeakMap<KeyObject, Buffer>();

function rawKeyOf(privateKey: KeyObject): Buffer {
  const known = rawKeys.get(privateKey) ?? rawKey(encodePublicKey(createPublicKey(privateKey)));
  rawKeys.set(privateKey, known);
  return known;
}

/** Length-prefixed, so that no two lists of words encode alike. */
function encodeBinding(binding: readonly string[]): Buffer {
  return Buffer.concat(
    binding.flatMap((word) => {
      const bytes = Buffer.from(word, 'utf8');
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return [length, bytes];
    }),
  );
}
