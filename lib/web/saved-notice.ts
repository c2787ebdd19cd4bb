/**
 * “Saved, and in force since …”, after a save sent the browser back. The address holds the number of the change
 * (`?saved=17`), so nothing needs to be remembered between the two requests.
 */
import type { Request } from 'express';
import type { Change } from '../changes/change.js';
import type { Changes } from '../changes/service.js';
import { NotFoundError } from '../errors.js';
import type { Translator } from '../i18n.js';
import type { ProofStep } from '../privileged/protocol.js';
import { oneText } from './fields.js';
import type { Notice } from './notice.js';
import type { Pages } from './page.js';

type Glance = Awaited<ReturnType<Changes['glance']>>;

/** What a redirect after a save adds to the address; `null` when there was nothing to save. */
export function savedQuery(change: Pick<Change, 'number'> | null): string {
  return `?saved=${change?.number ?? 'same'}`;
}

/** The notice for the change in the address; null when there is none, or it did not come through. */
export async function savedNotice(
  pages: Pages,
  changes: Pick<Changes, 'glance'>,
  has: (key: string) => boolean,
  req: Request,
): Promise<Notice | null> {
  const id = oneText(req.query, 'saved');
  if (id === '') return null;
  const t = pages.translator(req);
  if (id === 'same') {
    return { kind: 'info', role: 'status', title: t('saved.same'), paragraphs: [] };
  }
  const change = await find(changes, id);
  if (change === null || change.state !== 'applied') return null;
  const { key, values } = change.title;
  const when = pages.formats(req).moment(change.settledAt ?? change.at);
  const steps = change.result?.proof ?? [];
  const doubts = steps
    .filter((step) => !step.ok && has(`${step.key}.doubt`))
    .map((step) => t(`${step.key}.doubt`, step.values));
  return {
    kind: doubts.length === 0 ? 'ok' : 'warn',
    role: 'status',
    title: t('saved.title', { change: t(key, values) }),
    paragraphs: [
      t(saysNothingNew(change) ? 'saved.already' : 'saved.inForce', { when }),
      ...doubts,
    ],
    ...proofDetails(t, steps),
    ...(pages.may(req, 'mail.admin') && change.canBeTakenBack
      ? {
          action: {
            href: `${req.baseUrl}/history/${change.id}/undo`,
            text: t('saved.takeBack'),
            fields: [],
          },
        }
      : {}),
  };
}

function saysNothingNew({ result }: Glance): boolean {
  return result?.status === 'unchanged';
}

function proofDetails(t: Translator, steps: readonly ProofStep[]): Pick<Notice, 'details'> {
  if (steps.length === 0) return {};
  const lines = steps.map(({ key, values, ok }) =>
    t(ok ? 'saved.proofOk' : 'saved.proofNot', { step: t(key, values) }),
  );
  return { details: { summary: t('saved.proof'), text: lines.join('\n') } };
}

async function find(changes: Pick<Changes, 'glance'>, id: string): Promise<Glance | null> {
  try {
    return await changes.glance(id);
  } catch (error) {
    if (error instanceof NotFoundError) return null;
    throw error;
  }
}
