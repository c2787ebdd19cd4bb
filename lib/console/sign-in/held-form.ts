/**
 * Keeps what somebody typed while their session ended. The form that arrives too late is sealed into the sign-in page
 * (readable only by this console, so a typed password stays secret); after signing in it waits in the session, and one
 * press sends it where it was going.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

/** How long a form waits. Milliseconds. */
export const HOLD_LIMIT_MS = 2 * 60 * 60 * 1000;
/** Larger forms are not held. Bytes of JSON. */
export const MAX_HELD_BYTES = 256 * 1024;

export interface HeldForm {
  /** Where the form was going: path and query. */
  readonly path: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface HeldForms {
  /** Null when the form is too large to hold. */
  seal(form: HeldForm): string | null;
  /** Null when the box is not ours, damaged, or too old. */
  open(box: unknown): HeldForm | null;
}

const IV_BYTES = 12;
const TAG_BYTES = 16;
/** Never carried over: they belong to the session that ended. */
const SESSION_FIELDS = new Set(['_csrf', '_held']);

export function createHeldForms(secret: Buffer, now: () => number = Date.now): HeldForms {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'held-form', 32));
  return {
    seal({ path, fields }) {
      const kept = Object.fromEntries(
        Object.entries(fields).filter(([name]) => !SESSION_FIELDS.has(name)),
      );
      const text = JSON.stringify({ path, fields: kept, at: now() });
      if (Buffer.byteLength(text) > MAX_HELD_BYTES) return null;
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, iv);
      const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url');
    },

    open(box) {
      if (typeof box !== 'string' || box === '') return null;
      const bytes = Buffer.from(box, 'base64url');
      if (bytes.length <= IV_BYTES + TAG_BYTES) return null;
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES));
      decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
      try {
        const opened = [decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()];
        const text = Buffer.concat(opened).toString('utf8');
        const { path, fields, at } = JSON.parse(text) as HeldForm & { at: number };
        return now() - at > HOLD_LIMIT_MS ? null : { path, fields };
      } catch {
        return null;
      }
    },
  };
}
