/** Mail aliases: one row each, and the small settings of their section. */
import Joi from 'joi';
import { isAliasName, isTarget } from './address.js';

/** Targets one alias may have; Postfix gives up at 1,000 recipients (virtual_alias_expansion_limit). */
export const MAX_TARGETS = 500;
/** Longest note, in characters. */
export const MAX_NOTE_LENGTH = 200;
/** Longest alias name, in characters: local part, `@`, domain. */
export const MAX_NAME_LENGTH = 320;

export interface Alias {
  readonly id: string;
  /** `sales`, `sales@example.com` or `@example.com`; case folded, domain in A-labels. */
  readonly name: string;
  /** Bare names of this machine, or addresses with the domain in A-labels. */
  readonly targets: readonly string[];
  readonly note: string;
  readonly enabled: boolean;
  readonly version: number;
  readonly updatedAt: Date;
  readonly updatedBy: string;
}

/** What follows from all aliases together; they themselves are the section's contents. */
export interface AliasSettings {
  /** At least one alias is switched on. */
  readonly active: boolean;
  /** At least one of these is for the unknown recipients of a domain. */
  readonly catchAll: boolean;
}

export const aliasSettingsSchema = Joi.object<AliasSettings>({
  active: Joi.boolean().required(),
  catchAll: Joi.boolean().required(),
}).required();

/** Whether a pair may cross the border as an alias that is switched on; without `targets`, as one that goes. */
export function isAliasEntry(name: unknown, targets: unknown): boolean {
  if (typeof name !== 'string' || name.length > MAX_NAME_LENGTH || !isAliasName(name)) return false;
  if (targets === undefined) return true;
  if (!Array.isArray(targets) || targets.length === 0 || targets.length > MAX_TARGETS) return false;
  return targets.every((target) => typeof target === 'string' && isTarget(target));
}
