/** Where the policy servers find what they are told; all below the instance's root. */

export const POLICY_FOLDER = '/etc/mailserver/policy';
/** Options of postgrey, as `EnvironmentFile` of its unit takes them (systemd.exec(5)). */
export const POSTGREY_FILE = `${POLICY_FOLDER}/postgrey.env`;
/** Clients that postgrey lets through without noting anything. */
export const POSTGREY_CLIENTS = `${POLICY_FOLDER}/postgrey-clients`;
/** One file for each use: the program that has read the other one is then a different service, and started anew. */
export const SPF_FILES = {
  mark: `${POLICY_FOLDER}/policyd-spf-mark.conf`,
  refuse: `${POLICY_FOLDER}/policyd-spf-refuse.conf`,
} as const;
/** What the service that asks block lists does. */
export const BLOCK_LISTS_FILE = `${POLICY_FOLDER}/block-lists.json`;

export const POSTGREY_PROGRAM = '/usr/sbin/postgrey';
export const SPF_PROGRAM = '/usr/bin/policyd-spf';

/**
 * The stranger of all proofs (RFC 5737): nobody ever comes from there. Policy servers let this one through, note nothing
 * about it and ask nobody about it.
 */
export const PROBE_ADDRESS = '203.0.113.9';
