/** What the pages of the open relay subnets have in common. */
import type { Request } from 'express';
import { UserError } from '../lib/errors.js';
import { MAX_NOTE_CHARS } from '../lib/relay-subnets/schema.js';
import type { ListedNetwork } from '../lib/relay-subnets/service.js';
import { oneText, readFields } from '../lib/web/fields.js';
import type { PageInfo } from '../lib/web/page.js';
import type { Web } from '../lib/web/web.js';

export const RELAY_PATH = '/configuration/relay-subnets';

export function relayPage({ pages }: Web, req: Request, view: string, status = 200): PageInfo {
  const t = pages.translator(req);
  return {
    view: `relay-subnets/${view}`,
    title: t('relay.title'),
    heading: t('configuration.title'),
    menu: 'configuration',
    tab: 'relay',
    status,
    failed: status >= 400,
  };
}

/** Rows carry versions of their own; this one only tells which state of the list a form was made from. */
export function listVersion(networks: readonly ListedNetwork[]): number {
  return Math.max(0, ...networks.map(({ row }) => row?.version ?? 0));
}

/** What somebody says about a network. Throws `UserError` at the field `note`. */
export function readNote(body: unknown): string {
  const { values, problems } = readFields(body, ['note']);
  if (problems.length > 0) throw new UserError(problems);
  const note = values['note'] ?? '';
  if (note.length <= MAX_NOTE_CHARS) return note;
  const limits = { length: note.length, limit: MAX_NOTE_CHARS };
  throw new UserError({ key: 'relay.problem.note', values: limits, field: 'note' });
}

export function isYes(body: unknown, name: string): boolean {
  return ['yes', 'on', 'true', '1'].includes(oneText(body, name));
}
