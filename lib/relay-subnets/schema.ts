/** The settings of the section Open relay subnets: who may send outside without login. */
import Joi from 'joi';
import { formatNetwork, parseNetwork, refusalOf } from './network.js';

/** How many networks one server may have here. */
export const MAX_NETWORKS = 500;
export const MAX_NOTE_CHARS = 200;

export interface RelaySettings {
  /** As `formatNetwork` writes them: `192.168.1.0/24`, `10.0.0.7`, `fd12::/48`. */
  readonly networks: readonly string[];
}

/** Whether a text is a network in canonical form that may be let in at all. */
export function isAllowedNetwork(text: string): boolean {
  const parsed = parseNetwork(text);
  return (
    'network' in parsed &&
    formatNetwork(parsed.network) === text &&
    refusalOf(parsed.network) === null
  );
}

export const relaySchema = Joi.object<RelaySettings>({
  networks: Joi.array()
    .items(
      Joi.string()
        .max(64)
        .custom((value: string, helpers) =>
          isAllowedNetwork(value) ? value : helpers.error('any.invalid'),
        ),
    )
    .max(MAX_NETWORKS)
    .unique()
    .required(),
}).required();
