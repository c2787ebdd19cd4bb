/** The settings of the section Exceptions, and what other sections may know of them. */
import Joi from 'joi';
import { isException, kindOfValue, type ExceptionKind } from './value.js';

/** All of them go through Postfix, the spam filter and a save as a whole. */
export const MAX_EXCEPTIONS = 5_000;
/** Networks stand in main.cf itself. */
export const MAX_NETWORKS = 500;
export const MAX_NOTE_CHARS = 200;

/** What the list can be sorted by. */
export const EXCEPTION_SORTS = ['value', 'kind', 'added'] as const;
export type ExceptionSort = (typeof EXCEPTION_SORTS)[number];

export interface ExceptionSettings {
  /** Those that are switched on: domains, addresses, clients and networks as `value.ts` writes them. */
  readonly values: readonly string[];
}

export const NO_EXCEPTIONS: ExceptionSettings = { values: [] };

export const exceptionsSchema = Joi.object<ExceptionSettings>({
  values: Joi.array()
    .items(
      Joi.string().custom((value: string, helpers) =>
        isException(value) ? value : helpers.error('any.invalid'),
      ),
    )
    .max(MAX_EXCEPTIONS)
    .unique()
    .custom((values: readonly string[], helpers) =>
      values.filter((value) => value.includes('/') && !value.includes('@')).length > MAX_NETWORKS
        ? helpers.error('array.max', { limit: MAX_NETWORKS })
        : values,
    )
    .required(),
}).required();

/** By kind, for whoever has a form of its own for each: Postfix, SpamAssassin, amavis. */
export interface ExceptionLists {
  /** Sender domains, their subdomains included. */
  readonly domains: readonly string[];
  readonly addresses: readonly string[];
  readonly ips: readonly string[];
  /** In CIDR form, v4 and v6. */
  readonly networks: readonly string[];
}

/**
 * What is switched on, by kind; of what another section finds under `all['exceptions']`, which may be nothing yet.
 * A section that uses this must have `follows: ['exceptions']`.
 */
export function exceptionLists(settings: unknown): ExceptionLists {
  const { values = [] } = (settings ?? {}) as Partial<ExceptionSettings>;
  const of = (kind: ExceptionKind): string[] =>
    values.filter((value) => kindOfValue(value) === kind);
  return {
    domains: of('domain'),
    addresses: of('address'),
    ips: of('ip'),
    networks: of('network'),
  };
}
