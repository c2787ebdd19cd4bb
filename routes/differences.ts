/** What was edited by hand, and the three things that can become of it. */
import type { Request, Response, Router } from 'express';
import { HelperError, UserError } from '../lib/errors.js';
import type { Decision, DifferencesService, Offer } from '../lib/differences/service.js';
import { diffOf } from '../lib/differences/diff-view.js';
import { allTexts, oneText } from '../lib/web/fields.js';
import { helperAway, saveFailed } from '../lib/web/helper-notices.js';
import type { Notice } from '../lib/web/notice.js';
import type { Web } from '../lib/web/web.js';

const PATH = '/differences';
const DECISIONS: readonly Decision[] = ['keep', 'take', 'overwrite'];

export function differencesRoutes(
  router: Router,
  web: Web,
  differences: DifferencesService,
  /** Sections with a page: where it is below the mount point, and the key of its name. */
  pagesOf: ReadonlyMap<string, { readonly path: string; readonly label: string }>,
): void {
  const { host, pages } = web;

  router.get(PATH, host.requireRole('mail.read'), async (req, res) => {
    const t = pages.translator(req);
    const decided = DECISIONS.find((one) => one === oneText(req.query, 'done'));
    const done: Notice[] =
      decided === undefined
        ? []
        : [{ kind: 'ok', role: 'status', title: t(`differences.done.${decided}`), paragraphs: [] }];
    await show(req, res, 200, done);
  });

  router.post(PATH, host.requireRole('mail.admin'), async (req, res) => {
    const t = pages.translator(req);
    const decision = DECISIONS.find((one) => one === oneText(req.body, 'intent'));
    try {
      if (decision === undefined)
        throw new UserError({ key: 'differences.error.none', values: {} });
      const chosen = allTexts(req.body, 'edit').map(readEdit);
      await differences.decide(decision, chosen, pages.user(req).login);
      res.redirect(303, `${req.baseUrl}${PATH}?done=${decision}`);
    } catch (error) {
      if (error instanceof UserError) {
        const paragraphs = error.problems.map(({ key, values }) => t(key, values));
        const title = t('differences.error.title');
        await show(req, res, 422, [{ kind: 'bad', role: 'alert', focus: true, title, paragraphs }]);
      } else if (error instanceof HelperError) {
        await show(req, res, 502, [saveFailed(t, error.toFailure(), web.has)]);
      } else {
        throw error;
      }
    }
  });

  const show = async (
    req: Request,
    res: Response,
    status: number,
    notices: readonly Notice[],
  ): Promise<void> => {
    const t = pages.translator(req);
    const { edits, failure } = await look();
    const away =
      failure === null
        ? []
        : [helperAway(t, pages.formats(req), failure.toFailure(), null, web.has)];
    pages.page(
      req,
      res,
      {
        view: 'differences/index',
        title: t('differences.title'),
        menu: 'history',
        tab: 'differences',
        status: failure === null ? status : 502,
        failed: status >= 400 || failure !== null,
      },
      {
        notices: [...notices, ...away],
        known: failure === null,
        edits: edits.map((offer) => viewEdit(req, offer)),
        takable: edits.length === 0 || edits.some(({ choices }) => choices.includes('take')),
        readOnly: !pages.may(req, 'mail.admin'),
        action: req.baseUrl + PATH,
      },
    );
  };

  const look = async (): Promise<{ edits: readonly Offer[]; failure: HelperError | null }> => {
    try {
      return { edits: await differences.offers(await differences.list()), failure: null };
    } catch (error) {
      if (error instanceof HelperError) return { edits: [], failure: error };
      throw error;
    }
  };

  const viewEdit = (req: Request, { edit, choices, problems }: Offer): object => {
    const t = pages.translator(req);
    const page = pagesOf.get(edit.section);
    return {
      value: `${edit.digest} ${edit.name}`,
      name: edit.name,
      kind: t(`differences.kind.${edit.kind}`),
      page: page === undefined ? '' : t(page.label),
      href: page === undefined ? '' : req.baseUrl + page.path,
      diff: diffOf(edit),
      choices: pages.formats(req).list(choices.map((one) => t(`differences.${one}`))),
      why: problems.map(({ key, values }) => t('differences.why', { reason: t(key, values) })),
    };
  };
}

/** `digest name`, as the tick box of a row sends it. */
function readEdit(text: string): { readonly name: string; readonly digest: string } {
  const space = text.indexOf(' ');
  return { digest: text.slice(0, space), name: text.slice(space + 1) };
}
