/** Bulk mail: a draft as it would be sent, with everybody who gets it and who does not. */
import type { Request, Response } from 'express';
import { viewLeftOut, viewMessage } from '../lib/bulk/mailing-view.js';
import type { BulkService } from '../lib/bulk/service.js';
import { unknownPlaceholders } from '../lib/bulk/template.js';
import { displayAddress } from '../lib/aliases/address.js';
import type { Problem } from '../lib/errors.js';
import { viewForm } from '../lib/web/form.js';
import type { Notice } from '../lib/web/notice.js';
import type { Web } from '../lib/web/web.js';
import { bulkPage, bulkParts, shortSubject } from './bulk.js';

/** Recipients that the page names; more are counted. */
const NAMED_PEOPLE = 200;
/** What takes less is said to take this long, in milliseconds. */
const SHORTEST_MS = 1_000;

export async function showDraft(
  web: Web,
  service: BulkService,
  req: Request,
  res: Response,
  id: string,
  more: {
    readonly status?: number;
    readonly notices?: readonly Notice[];
    readonly to?: string;
    readonly problems?: readonly Problem[];
  } = {},
): Promise<void> {
  const { pages } = web;
  const { t, format, path } = bulkParts(web, req);
  const { mailing, chosen, obstacle, attachments, digest, senderUnknown } = await service.draft(id);
  const user = pages.user(req);
  const me = { name: user.name, login: user.login, address: user.email ?? '' };
  const first = chosen.people[0] ?? me;
  const unknown = unknownPlaceholders(`${mailing.subject}\n${mailing.body}`);
  const warnings = [
    ...(obstacle === null ? [] : [t(obstacle.key, obstacle.values)]),
    ...(senderUnknown
      ? [t('bulk.warning.sender', { address: displayAddress(mailing.sender) })]
      : []),
    ...unknown.map((name) => t('bulk.warning.placeholder', { name: `{${name}}` })),
  ];
  const count = chosen.people.length;
  pages.page(
    req,
    res,
    {
      ...bulkPage(
        'draft',
        t('bulk.draftTitle', { subject: shortSubject(mailing.subject) }),
        more.status,
      ),
      heading: t('bulk.draftTitle', { subject: mailing.subject }),
    },
    {
      action: `${path}/${id}`,
      listHref: path,
      editHref: `${path}/${id}/edit`,
      notices: more.notices ?? [],
      version: mailing.version,
      ...{ digest, count, warnings, sendable: count > 0 && obstacle === null },
      message: viewMessage(mailing, attachments, first, format),
      isExample: count > 0,
      people: chosen.people.slice(0, NAMED_PEOPLE).map(({ login, name, address }) => ({
        name: name === '' ? login : name,
        address: displayAddress(address),
      })),
      unnamed: Math.max(0, count - NAMED_PEOPLE),
      leftOut: viewLeftOut(t, chosen.leftOut),
      pace:
        mailing.rate === 0
          ? t('bulk.pace.fast')
          : t('bulk.pace.about', {
              rate: mailing.rate,
              time: format.duration(Math.max(SHORTEST_MS, (count / mailing.rate) * 60_000)),
            }),
      form: viewForm({
        ...{ t, feature: 'bulk', fields: ['to'], problems: more.problems ?? [] },
        values: { to: more.to ?? user.email ?? '' },
      }),
      readOnly: !pages.may(req, 'mail.operate'),
    },
  );
}
