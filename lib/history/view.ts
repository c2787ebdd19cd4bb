/** Changes as the pages of the history show them. */
import type { Request } from 'express';
import type { Change, ChangeState, ChangeSummary } from '../changes/change.js';
import type { Changes } from '../changes/service.js';
import type { Translator } from '../i18n.js';
import type { ProofStep } from '../privileged/protocol.js';
import { viewPreview, type PreviewView } from '../web/preview.js';
import type { Web } from '../web/web.js';
import { changeSentence } from './sentence.js';
import { settingRows } from './words.js';

export interface ChangeLine {
  readonly id: string;
  readonly href: string;
  readonly sentence: string;
  readonly person: string;
  readonly when: string;
  readonly ago: string;
  readonly state: { readonly kind: 'ok' | 'bad' | 'info' | 'off'; readonly text: string };
  readonly canTakeBack: boolean;
  /** Back to before it, over whatever came since. */
  readonly canGoBack: boolean;
}

const STATE_KIND: Readonly<Record<ChangeState, ChangeLine['state']['kind']>> = {
  applied: 'ok',
  refused: 'bad',
  applying: 'info',
};

type Listed = ChangeSummary | Change;

/** What the pages ask of the changes. */
type Asked = Pick<Changes, 'glance' | 'takenBack'>;

export async function changeLines(
  web: Web,
  changes: Asked,
  req: Request,
  listed: readonly Listed[],
): Promise<readonly ChangeLine[]> {
  const taken = await changes.takenBack(listed.map(({ number }) => number));
  return Promise.all(
    listed.map((change) => changeLine(web, changes, req, change, taken.get(change.number) ?? null)),
  );
}

async function changeLine(
  { pages }: Web,
  changes: Asked,
  req: Request,
  change: Listed,
  takenBackBy: number | null,
): Promise<ChangeLine> {
  const t = pages.translator(req);
  const format = pages.formats(req);
  const canGoBack = change.state === 'applied' && pages.may(req, 'mail.admin');
  return {
    id: change.id,
    href: `${req.baseUrl}/history/${change.id}`,
    sentence: await changeSentence(t, changes, change),
    person: change.actor,
    when: format.moment(change.at),
    ago: format.ago(change.at),
    state:
      takenBackBy === null
        ? { kind: STATE_KIND[change.state], text: t(`history.state.${change.state}`) }
        : { kind: 'off', text: t('history.state.takenBack', { number: takenBackBy }) },
    canTakeBack: canGoBack && takenBackBy === null,
    canGoBack,
  };
}

/** Rows of a change that its page shows: an import may have written 100,000. */
export const SHOWN_ROWS = 100;

export interface ChangeDetail extends ChangeLine {
  readonly changes: PreviewView | null;
  readonly proof: readonly { readonly kind: 'ok' | 'warn'; readonly text: string }[];
  readonly failure: { readonly text: string; readonly detail: string } | null;
  readonly undoes: { readonly href: string; readonly text: string } | null;
  readonly undoneBy: { readonly href: string; readonly text: string } | null;
}

/** `change` with its first `SHOWN_ROWS` rows, or with all. */
export async function changeDetail(
  web: Web,
  changes: Asked,
  req: Request,
  change: Change & ChangeSummary,
): Promise<ChangeDetail> {
  const t = web.pages.translator(req);
  const shown = change.rows.slice(0, SHOWN_ROWS);
  const rows = settingRows(t, web.has, shown);
  const left = change.rowCount - shown.length;
  const preview =
    change.result === null && rows.length === 0
      ? null
      : viewPreview(t, rows, change.result ?? NOTHING_DONE);
  const takenBackBy = (await changes.takenBack([change.number])).get(change.number) ?? null;
  const linkTo = (key: string, number: number | null): ChangeDetail['undoes'] =>
    number === null ? null : { href: `${req.baseUrl}/history/${number}`, text: t(key, { number }) };
  return {
    ...(await changeLine(web, changes, req, change, takenBackBy)),
    changes:
      preview === null
        ? null
        : {
            ...preview,
            ...{ title: t('history.what'), lead: '', past: true },
            more: left > 0 ? t('history.more', { count: left }) : '',
          },
    proof: (change.result?.proof ?? []).map((step) => proofLine(t, step)),
    failure: change.failure && {
      text: t(
        web.has(change.failure.key) ? change.failure.key : 'helper.unnamed',
        change.failure.values,
      ),
      detail: change.failure.detail.trim(),
    },
    undoes: linkTo('history.undoes', change.undoes === null ? null : Number(change.undoes)),
    undoneBy: linkTo('history.undoneBy', takenBackBy),
  };
}

const NOTHING_DONE = {
  status: 'unchanged',
  parameters: [],
  files: [],
  activation: 'none',
  proof: [],
  timing: {},
} as const;

function proofLine(t: Translator, { key, values, ok }: ProofStep): ChangeDetail['proof'][number] {
  const step = t(key, values);
  return ok
    ? { kind: 'ok', text: t('saved.proofOk', { step }) }
    : { kind: 'warn', text: t('saved.proofNot', { step }) };
}
