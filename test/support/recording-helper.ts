/**
 * A helper for tests of pages: remembers what it was asked, answers as a healthy machine would, and fails when told to.
 */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { HelperTransport } from '../../lib/contract.js';
import { HelperError, type HelperFailure, type HelperStage } from '../../lib/errors.js';
import type { ResultOf } from '../../lib/privileged/actions/index.js';
import type { AppliedRecord, ApplyParams, ApplyResult } from '../../lib/privileged/protocol.js';
import type { Unclear } from '../../lib/sections/section.js';
import { NO_POLICY } from '../../lib/policy/schema.js';
import { encodePublicKey } from '../../lib/secrets/seal.js';
import { SECURITY_DEFAULTS } from '../../lib/security/schema.js';
import { NO_SMARTHOST } from '../../lib/smarthost/schema.js';

export interface RecordedCall {
  readonly action: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly actor: string;
}

export interface RecordingHelper extends HelperTransport {
  readonly calls: RecordedCall[];
  /** Applied changes, previews left out. */
  readonly applied: ApplyParams[];
  /** What `read` says of a section that was never applied. */
  readonly machine: Record<
    string,
    { settings: unknown; unclear: readonly Unclear[]; edited?: readonly string[] }
  >;
  postfix: { installed: boolean; running: boolean; version: string };
  queueFreeBytes: number;
  /** Every call fails like this until it is null again. */
  failure: HelperFailure | null;
  /** Only `apply` fails like this. */
  refusal: HelperFailure | null;
  /** What it says to actions of single features, by name. */
  readonly answers: Record<string, (params: Readonly<Record<string, unknown>>) => unknown>;
  /** Opens what was sealed for it. */
  readonly key: KeyObject;
  /** Files and proof of the next results. */
  result: Partial<ApplyResult>;
}

export const AWAY: HelperFailure = {
  stage: 'connect',
  key: 'helper.connect.refused',
  values: {},
  detail: 'connect ECONNREFUSED <b>/run/mailserver/helper.sock</b>',
  restored: true,
};

/** What `encryption` says: Debian's own certificate, nothing offered, nobody who checks passwords. */
export const ENCRYPTION: ResultOf<'encryption'> = {
  folder: '/etc/mailserver/certificates',
  certificates: [],
  original: {
    file: '/etc/ssl/certs/ssl-cert-snakeoil.pem',
    facts: {
      names: ['box.example.net'],
      issuer: 'box.example.net',
      selfSigned: true,
      expires: '2036-03-01T12:00:00.000Z',
    },
  },
  login: null,
  ports: { submission: 587, submissions: 465 },
};

/** What `security-status` says where no scanner is switched on. */
export const SCANNERS_OFF: ResultOf<'security-status'> = {
  settings: null,
  memory: null,
  policy: [],
  spamassassin: { installed: true, rules: null, hasRules: true },
  clamav: {
    ...{ installed: true, running: false, atBoot: false, answers: false, member: false },
    signatures: null,
  },
  freshclam: { installed: true, running: false, atBoot: false },
  amavis: { installed: true, running: false, atBoot: false, answers: false, pax: true },
  postfix: { hands: false, elsewhere: false, takesBack: false },
};

/** What `policy-status` says while nothing is on. */
export const POLICY_STATUS: ResultOf<'policy-status'> = {
  servers: [],
  lists: [],
  installed: { postgrey: true, spf: true },
  restrictions: {
    lists: { smtpd_relay_restrictions: 'permit_mynetworks, reject_unauth_destination' },
    classes: {},
    policyPort: 10023,
    blockListsPort: 10040,
  },
};

export function refusedAt(stage: HelperStage, key: string): HelperFailure {
  return { stage, key, values: {}, detail: `<script>alert('${stage}')</script>`, restored: true };
}

export function recordingHelper(): RecordingHelper {
  let record: AppliedRecord | null = null;
  const pair = generateKeyPairSync('x25519');
  const helper: RecordingHelper = {
    calls: [],
    applied: [],
    machine: {
      base: {
        settings: {
          mailServerName: 'old.example.com',
          maxMessageSizeMb: 10,
          delivery: 'system',
          mailboxFormat: 'mbox',
          lmtpHost: '127.0.0.1',
          lmtpPort: 2003,
          unknownRecipient: 'refuse',
        },
        unclear: [],
      },
      domains: { settings: { names: [] }, unclear: [] },
      smarthost: { settings: NO_SMARTHOST, unclear: [] },
      policy: { settings: NO_POLICY, unclear: [] },
      tls: {
        settings: {
          incoming: 'may',
          outgoing: 'may',
          certificate: '',
          submission: false,
          submissions: false,
        },
        unclear: [],
      },
      security: { settings: SECURITY_DEFAULTS, unclear: [] },
      exceptions: { settings: { values: [] }, unclear: [] },
      relay: { settings: { networks: ['127.0.0.0/8', '::1'] }, unclear: [] },
    },
    postfix: { installed: true, running: true, version: '3.7.11' },
    queueFreeBytes: 3 * 1024 ** 3,
    failure: null,
    refusal: null,
    answers: {
      'contents-left': () => null,
      'settings-left': () => null,
      encryption: () => ENCRYPTION,
      'fetchmail-offers': () => ({ protocols: [] }),
      'dkim-keys': () => ({ keys: [], unreadable: [] }),
      'security-status': () => SCANNERS_OFF,
      fetchmailrc: () => null,
      'policy-status': () => POLICY_STATUS,
      'queue-counts': () => ({
        counts: { maildrop: 0, incoming: 0, active: 0, deferred: 0, hold: 0 },
        disk: { free: 2 * 1024 ** 3, needed: 15 * 1024 ** 2 },
      }),
      'fetchmail-status': () => ({ installed: true, running: true, queries: {} }),
    },
    key: pair.privateKey,
    result: {},
    async request(action, params, { actor }) {
      await Promise.resolve();
      helper.calls.push({ action, params, actor });
      if (helper.failure !== null) throw new HelperError(helper.failure);
      switch (action) {
        case 'describe':
          return {
            protocol: 2,
            publicKey: encodePublicKey(pair.publicKey),
            postfix: helper.postfix,
            machineName: 'box.example.net',
            supervisor: 'direct',
          };
        case 'read':
          return {
            sections: Object.fromEntries(
              (params['sections'] as string[]).map((id) => [
                id,
                { edited: [], ...helper.machine[id], applied: false },
              ]),
            ),
            queueFreeBytes: helper.queueFreeBytes,
            effective: {
              myhostname: 'old.example.com',
              mydestination: '$myhostname, localhost',
              message_size_limit: '10485760',
            },
          };
        case 'record':
          return record;
        case 'apply':
          return apply(params as unknown as ApplyParams);
        default: {
          const answer = helper.answers[action];
          if (!answer) throw new Error(`the fake helper knows no ${action}`);
          return answer(params);
        }
      }
    },
  };
  const apply = (params: ApplyParams): ApplyResult => {
    if (helper.refusal !== null) throw new HelperError(helper.refusal);
    const result: ApplyResult = {
      status: params.dryRun ? 'preview' : 'applied',
      parameters: [],
      files: [],
      activation: 'reload',
      proof: [],
      timing: {},
      ...helper.result,
    };
    if (!params.dryRun) {
      helper.applied.push(params);
      const { databaseId, change } = params;
      record = { databaseId, change, digest: '', at: '', status: 'applied', result };
    }
    return result;
  };
  return helper;
}
