/** How the policy servers are, and the restrictions Postfix follows before it takes a mail. */
import Joi from 'joi';
import type { ListReport } from '../block-lists/judge.js';
import { asciiDomain } from '../domains/schema.js';
import { RESTRICTION_LISTS, type RestrictionLists } from '../policy/order.js';
import { POSTGREY_PROGRAM, SPF_PROGRAM } from '../policy/places.js';
import { MAX_BLOCK_LISTS } from '../policy/schema.js';
import { existsSync } from 'node:fs';
import type { Paths } from './paths.js';
import { readConfig } from './postfix/config-view.js';
import { publicListener } from './postfix/listeners.js';
import { masterOption } from './postfix/master.js';
import { daemonOf } from './services/daemons.js';
import { askLists, BLOCK_LISTS, wantedServers } from './services/policy-servers.js';

export interface PolicyStatus {
  /** Those that are wanted. */
  readonly servers: readonly { readonly name: string; readonly answers: boolean }[];
  /** Empty while the service that asks them does not answer. */
  readonly lists: readonly ListReport[];
  readonly installed: { readonly postgrey: boolean; readonly spf: boolean };
  /** As they stand in main.cf, classes resolved. */
  readonly restrictions: RestrictionLists;
}

/** The last moment a `Date` can hold, in milliseconds. */
const MAX_TIME_MS = 8.64e15;

const listReports = Joi.array<readonly ListReport[]>()
  .items(
    Joi.object<ListReport>({
      zone: asciiDomain.required(),
      state: Joi.string()
        .valid('waiting', 'good', 'listsAll', 'listsNone', 'refused', 'silent')
        .required(),
      ipv6: Joi.boolean().required(),
      checkedAt: Joi.number().integer().min(0).max(MAX_TIME_MS).allow(null).required(),
    }),
  )
  .max(MAX_BLOCK_LISTS)
  .required();

/** Never throws because of a server that does not answer. */
export async function policyStatus(paths: Paths): Promise<PolicyStatus> {
  const wanted = wantedServers(paths);
  const [servers, lists, view] = await Promise.all([
    Promise.all(
      wanted.map(async ({ definition }) => ({
        name: definition.name,
        answers: await daemonOf(definition, paths).answers(),
      })),
    ),
    wanted.includes(BLOCK_LISTS) ? readLists(paths) : [],
    readConfig(paths.configDir, paths),
  ]);
  // The service on port 25 may have a word of its own.
  const entry = publicListener(view.master)?.entry.line ?? '';
  const valueOf = (name: string): string => masterOption(entry, name) ?? view.parameter(name);
  return {
    servers,
    lists,
    installed: { postgrey: existsSync(POSTGREY_PROGRAM), spf: existsSync(SPF_PROGRAM) },
    restrictions: {
      lists: Object.fromEntries(RESTRICTION_LISTS.map((name) => [name, valueOf(name)])),
      classes: Object.fromEntries(
        view
          .parameter('smtpd_restriction_classes')
          .split(/[\s,]+/)
          .filter((name) => name !== '')
          .map((name) => [name, view.parameter(name)]),
      ),
      policyPort: view.port('policy'),
      blockListsPort: view.port('blockLists'),
    },
  };
}

/** Empty while the service that asks them does not answer. */
export async function readLists(paths: Paths): Promise<readonly ListReport[]> {
  try {
    return readListReports(await askLists(paths));
  } catch {
    return [];
  }
}

/** Where the service is down, any program of the machine may answer in its place. Throws when this is no answer of it. */
export function readListReports(text: string): readonly ListReport[] {
  return Joi.attempt(JSON.parse(text), listReports, { convert: false });
}
