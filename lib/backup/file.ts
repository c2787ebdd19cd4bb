/** The file that all settings are saved in: JSON, without secrets, with a digest that shows damage. Pure. */
import { createHash } from 'node:crypto';
import { UserError } from '../errors.js';
import type { HeldSecret } from '../settings/holding.js';

const FORMAT = 'mailserver-settings';
/** Of the file's shape; a newer one may say things we do not know. */
export const FILE_VERSION = 1;
/** Largest file, in bytes: some 200,000 aliases. */
export const MAX_FILE_BYTES = 32 * 1024 * 1024;

export interface BackupFile {
  /** By section, secrets left out. */
  readonly sections: Readonly<Record<string, unknown>>;
  /** What has to be entered anew. */
  readonly secrets: readonly HeldSecret[];
  readonly madeAt: string;
}

/** The file's text: indented, so that a person can read it and a diff shows what changed. */
export function formatBackup(file: BackupFile): string {
  const { madeAt, secrets, sections } = file;
  const content = { format: FORMAT, version: FILE_VERSION, madeAt, secrets, sections };
  return `${JSON.stringify({ ...content, digest: digestOf(content) }, null, 2)}\n`;
}

/** Throws `UserError` at the field `file` for what is no such file, damaged, or of a newer version of us. */
export function parseBackup(text: string): BackupFile {
  if (text.trim() === '') throw fault('empty');
  if (Buffer.byteLength(text) > MAX_FILE_BYTES) throw fault('tooLarge', { limit: mebibytes() });
  const { digest, ...content } = parseObject(text);
  if (content['format'] !== FORMAT) throw fault('notOurs');
  const { version, madeAt, secrets, sections } = content;
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1) {
    throw fault('damaged');
  }
  if (version > FILE_VERSION) throw fault('newer', { version, ours: FILE_VERSION });
  if (digest !== digestOf(content)) throw fault('damaged');
  if (!isObject(sections) || !isSecrets(secrets) || !isMoment(madeAt)) throw fault('damaged');
  return { sections, secrets, madeAt };
}

/** The limit in words, in MiB. */
export function mebibytes(): number {
  return MAX_FILE_BYTES / 1024 / 1024;
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(text);
    if (isObject(parsed)) return parsed;
  } catch (cause) {
    // The beginning of one: it was cut off on its way.
    throw fault(text.slice(0, 100).includes(`"${FORMAT}"`) ? 'damaged' : 'notOurs', {}, cause);
  }
  throw fault('notOurs');
}

/** The same for the same content, in whatever order its keys come. */
function digestOf(content: object): string {
  return createHash('sha256').update(JSON.stringify(content, sortKeys)).digest('hex');
}

function sortKeys(_key: string, value: unknown): unknown {
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSecrets(value: unknown): value is readonly HeldSecret[] {
  return (
    Array.isArray(value) &&
    value.every(
      (one: unknown) =>
        isObject(one) && typeof one['name'] === 'string' && typeof one['about'] === 'string',
    )
  );
}

function isMoment(value: unknown): value is string {
  return typeof value === 'string' && !Number.isNaN(Date.parse(value));
}

function fault(
  kind: string,
  values: Readonly<Record<string, string | number>> = {},
  cause?: unknown,
): UserError {
  return new UserError({ key: `backup.problem.${kind}`, values, field: 'file' }, { cause });
}
