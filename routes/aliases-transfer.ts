/** Import of aliases from a file, with a preview, and export into one. */
import { once } from 'node:events';
import type { Request, Response, Router } from 'express';
import { displayAddress } from '../lib/aliases/address.js';
import { csvHead, csvLine } from '../lib/aliases/csv.js';
import {
  differencesBetween,
  SHOWN_TARGETS,
  type AliasPart,
  type Difference,
} from '../lib/aliases/import-diff.js';
import type { ImportRow } from '../lib/aliases/import-store.js';
import {
  isUnderWay,
  MAX_IMPORT_LINES,
  SHOWN_ROWS,
  type AliasTransfer,
  type ChangingRow,
} from '../lib/aliases/transfer.js';
import { UserError, type Problem } from '../lib/errors.js';
import { oneText } from '../lib/web/fields.js';
import { viewForm } from '../lib/web/form.js';
import { MAX_FILE_BYTES, tooLargeField, uploadedFile } from '../lib/web/multipart.js';
import type { Web } from '../lib/web/web.js';
import { ALIASES_PATH, aliasesPage } from './aliases-page.js';

const PATH = `${ALIASES_PATH}/transfer`;
/** How long an answer waits for what is under way before it says how far it is, in milliseconds. */
const PATIENCE_MS = 1_500;
/** Seconds after which a browser without a script asks again. */
const REFRESH_S = 2;

export function aliasesTransferRoutes(router: Router, web: Web, service: AliasTransfer): void {
  const { pages, host } = web;
  const read = host.requireRole('mail.read');
  const admin = host.requireRole('mail.admin');

  router.get(PATH, read, (req, res) => show(req, res, 200, [], ''));

  router.post(PATH, admin, async (req, res) => {
    const pasted = oneText(req.body, 'text');
    const file = uploadedFile(req.body, 'file');
    const cut = oneText(req.body, tooLargeField('file')) !== '';
    if (pasted.trim() === '' && !file && !cut) {
      show(req, res, 422, [{ key: 'aliases.import.noFile', values: {}, field: 'file' }], pasted);
      return;
    }
    const bytes = file?.bytes ?? Buffer.from(pasted, 'utf8');
    if (cut || bytes.length > MAX_FILE_BYTES) {
      const values = { limit: pages.formats(req).bytes(MAX_FILE_BYTES) };
      show(req, res, 422, [{ key: 'aliases.import.tooLarge', values, field: 'file' }], '');
      return;
    }
    const id = await service.begin(bytes, pages.user(req).login);
    await service.settled(id, PATIENCE_MS);
    res.redirect(303, `${req.baseUrl}${PATH}/${id}`);
  });

  router.get(`${PATH}/export.csv`, read, async (req, res) => {
    const separator = oneText(req.query, 'separator') === 'semicolon' ? ';' : ',';
    res.set({
      'Content-Type': 'text/csv; charset=utf-8',
      'Content-Disposition': 'attachment; filename="mail-aliases.csv"',
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
    });
    res.write(csvHead(separator));
    for await (const page of service.all()) {
      const lines = page.map((alias) => csvLine(alias, separator)).join('');
      if (!res.write(lines)) await Promise.race([once(res, 'drain'), once(res, 'close')]);
      if (res.closed) return;
    }
    res.end();
  });

  router.get(`${PATH}/:id`, read, (req, res) => preview(req, res, 200, []));

  router.post(`${PATH}/:id`, admin, async (req, res) => {
    const id = String(req.params['id']);
    try {
      await service.apply(id, pages.user(req).login);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      await preview(req, res, 422, error.problems);
      return;
    }
    await service.settled(id, PATIENCE_MS);
    const { found } = await service.preview(id);
    const done = found.state === 'done' && found.change !== null;
    const there = done ? `${ALIASES_PATH}?saved=${found.change}` : `${PATH}/${id}`;
    res.redirect(303, req.baseUrl + there);
  });

  const show = (
    req: Request,
    res: Response,
    status: number,
    problems: readonly Problem[],
    pasted: string,
  ): void => {
    const action = req.baseUrl + PATH;
    pages.page(req, res, aliasesPage(web, req, 'transfer', 'transfer', status), {
      ...{ action, notices: [], pasted },
      exportHref: `${action}/export.csv`,
      readOnly: !pages.may(req, 'mail.admin'),
      limits: { bytes: pages.formats(req).bytes(MAX_FILE_BYTES), lines: MAX_IMPORT_LINES },
      form: viewForm({
        ...{ t: pages.translator(req), feature: 'aliases', fields: ['file'], problems },
        values: {},
      }),
    });
  };

  const preview = async (
    req: Request,
    res: Response,
    status: number,
    problems: readonly Problem[],
  ): Promise<void> => {
    const t = pages.translator(req);
    const { found, counts, wrong, doubtful, changing } = await service.preview(
      String(req.params['id']),
    );
    const busy = isUnderWay(found);
    const failures = [...problems, ...(found.failure?.problems ?? [])];
    pages.page(req, res, aliasesPage(web, req, 'import', 'transfer', status), {
      action: `${req.baseUrl}${PATH}/${found.id}`,
      againHref: req.baseUrl + PATH,
      listHref: req.baseUrl + ALIASES_PATH,
      busyTitle: busy ? t(`aliases.import.state.${found.state}`) : '',
      ...{ busy, counts, state: found.state, lines: found.lines, refresh: busy ? REFRESH_S : 0 },
      notices: failures.map(({ key, values }) => ({
        kind: 'bad',
        role: 'alert',
        title: t('aliases.import.refused'),
        paragraphs: [web.has(key) ? t(key, values) : t('helper.unnamed')],
      })),
      shown: SHOWN_ROWS,
      wrong: wrong.map((row) => ({ line: row.line, text: wrongText(t, row) })),
      doubtful: doubtful.map((row) => ({ line: row.line, text: doubtText(t, row) })),
      changing: changing.map((row) => viewRow(t, row)),
      readOnly: !pages.may(req, 'mail.admin'),
    });
  };
}

type Translate = ReturnType<Web['pages']['translator']>;

function wrongText(t: Translate, { reason, value }: ImportRow): string {
  return t(`aliases.import.wrong.${reason}`, { value });
}

function doubtText(t: Translate, { reason, value, name }: ImportRow): string {
  return t(`aliases.import.doubt.${reason}`, { value, name: displayAddress(name) });
}

/** A new alias whole; of one that is there only what will be different. */
function viewRow(t: Translate, row: ChangingRow): object {
  const { kind, name, enabled, before, stale } = row;
  const differences = before === null ? [] : differencesBetween(before, row);
  const staysOff = !enabled && !differences.some(({ part }) => part === 'enabled');
  return {
    ...{ stale, name: displayAddress(name), kind: t(`aliases.import.kind.${kind}`) },
    state: staysOff ? t('aliases.state.off') : '',
    parts:
      before === null
        ? viewWhole(t, row)
        : differences.map((difference) => viewDifference(t, difference)),
  };
}

function viewWhole(t: Translate, { targets, note }: ChangingRow): readonly object[] {
  const line = (texts: readonly string[]): object => ({ said: '', tag: 'span', ...listed(texts) });
  return [
    { label: labelOf(t, 'targets'), lines: [line(targets.map(displayAddress))] },
    ...(note === '' ? [] : [{ label: labelOf(t, 'note'), lines: [line([note])] }]),
  ];
}

/** In words what it was and what it will be, so that neither colour nor strokes are needed to read it. */
function viewDifference(t: Translate, { part, before, after, partly }: Difference): object {
  const textOf = (text: string): string => {
    if (part === 'targets') return displayAddress(text);
    return part === 'enabled' ? t(`aliases.state.${text}`) : text;
  };
  const was = { said: t(`aliases.import.${partly ? 'away' : 'was'}`), tag: 'del' };
  const willBe = { said: t(`aliases.import.${partly ? 'joining' : 'willBe'}`), tag: 'ins' };
  const lines = [
    { ...was, ...listed(before.map(textOf)) },
    { ...willBe, ...listed(after.map(textOf)) },
  ];
  // A long list that only grew, or only became shorter, says nothing of the other way.
  return { label: labelOf(t, part), lines: lines.filter(({ text }) => text !== '' || !partly) };
}

function labelOf(t: Translate, part: AliasPart): string {
  return t(part === 'targets' ? 'aliases.column.targets' : `aliases.field.${part}`);
}

function listed(texts: readonly string[]): { readonly text: string; readonly further: number } {
  const shown = texts.slice(0, SHOWN_TARGETS);
  return { text: shown.join(', '), further: texts.length - shown.length };
}
