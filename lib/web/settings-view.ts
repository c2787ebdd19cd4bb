/**
 * What the page of a section shows: the form, how things are, a preview, two versions.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Request, Response } from 'express';
import type { ConflictError, Problem } from '../errors.js';
import type { Current, SettingsService, Wanted } from '../settings/service.js';
import type { ApplyResult } from '../privileged/protocol.js';
import type { Words } from '../words.js';
import { viewConflict, type ConflictView } from './conflict.js';
import type { FieldValues } from './fields.js';
import { viewForm } from './form.js';
import type { Notice } from './notice.js';
import { viewPreview, type PreviewView } from './preview.js';
import { warningsFor, type SettingsForm } from './settings-form.js';
import { standingNotices } from './standing-notices.js';
import type { Web } from './web.js';

export interface SettingsPage<Settings> {
  readonly path: string;
  readonly view: string;
  readonly menu: string;
  readonly tab: string;
  /** The key of its title, where several pages are forms of one feature. */
  readonly title?: string;
  /** The section whose settings it has, where that is not the tab's name. */
  readonly section?: string;
  readonly form: SettingsForm<Settings>;
  readonly service: SettingsService<Settings>;
  /** What the view needs beside the form. */
  readonly context: (
    req: Request,
    current: Current<Settings>,
    values: FieldValues,
  ) => Readonly<Record<string, unknown>> | Promise<Readonly<Record<string, unknown>>>;
}

export interface Shown<Settings> {
  readonly current: Current<Settings>;
  readonly values: FieldValues;
  /** Goes into the form: what the person has seen. */
  readonly version: number;
  readonly status: number;
  readonly problems?: readonly Problem[];
  readonly notices?: readonly Notice[];
  readonly preview?: PreviewView;
}

/** Answers with the form. */
export async function showForm<Settings>(
  { pages, has }: Web,
  page: SettingsPage<Settings>,
  req: Request,
  res: Response,
  { current, values, version, status, problems = [], notices = [], preview }: Shown<Settings>,
): Promise<void> {
  const { form } = page;
  const t = pages.translator(req);
  const readOnly = !pages.may(req, 'mail.admin');
  const refused = notices.some(({ kind }) => kind === 'bad');
  const state = refused ? { ...current, failure: null } : current;
  const context = await page.context(req, current, values);
  const standing = standingNotices(t, pages.formats(req), state, {
    ...{ readOnly, has, section: page.section ?? page.tab, mount: req.baseUrl },
  });
  pages.page(
    req,
    res,
    {
      view: page.view,
      title: t(page.title ?? `${form.feature}.title`),
      heading: t(`${page.menu}.title`),
      menu: page.menu,
      tab: page.tab,
      status,
      failed: status >= 400,
    },
    {
      form: viewForm({
        t,
        feature: form.feature,
        fields: form.fields,
        values,
        problems,
        warnings: warningsFor(form, values, current.settings),
      }),
      action: req.baseUrl + page.path,
      version,
      readOnly,
      saving: { possible: current.failure === null },
      notices: [...notices, ...standing],
      preview: preview ?? null,
      ...context,
    },
  );
}

/** The rows and files of a preview in words. */
export function previewOf<Settings>(
  { pages }: Web,
  form: SettingsForm<Settings>,
  req: Request,
  current: Current<Settings>,
  wanted: Wanted<Settings>,
  result: ApplyResult,
): PreviewView {
  const t = pages.translator(req);
  const say = ({ key, values }: Words): string => t(key, values);
  const changed = form.fields.filter(
    (name) => !isDeepStrictEqual(current.settings[name], wanted.settings[name]),
  );
  const rows = changed.map((name) => ({
    label: t(`${form.feature}.field.${name}`),
    before: current.source === 'unknown' ? '' : say(form.words(name, current.settings)),
    after: say(form.words(name, wanted.settings)),
  }));
  return viewPreview(t, rows, result, form.warnings(wanted.settings).map(say));
}

/** Both versions in words; null when they say the same. */
export function conflictOf<Settings>(
  { pages }: Web,
  { form, path }: SettingsPage<Settings>,
  req: Request,
  error: ConflictError,
  mine: Settings,
  theirs: Settings,
): ConflictView | null {
  const t = pages.translator(req);
  const [myForm, theirForm] = [form.toForm(mine), form.toForm(theirs)];
  const version = (name: keyof Settings & string, settings: Settings, values: FieldValues) => {
    const words = form.words(name, settings);
    return { value: values[name] ?? '', text: t(words.key, words.values) };
  };
  return viewConflict(
    t,
    pages.formats(req),
    error,
    req.baseUrl + path,
    form.fields.map((name) => ({
      name,
      label: t(`${form.feature}.field.${name}`),
      mine: version(name, mine, myForm),
      theirs: version(name, theirs, theirForm),
    })),
  );
}
