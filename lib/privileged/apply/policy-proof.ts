/** Proof that what was switched on about strangers works: each policy server answers, and a stranger still gets in. */
import { POLICY_CLASS, policySection, SPF_SERVICE } from '../../policy/section.js';
import { BLOCK_LISTS, POSTGREY, askPolicy, probeRequest } from '../services/policy-servers.js';
import type { Paths } from '../paths.js';
import type { ConfigView } from '../postfix/config-view.js';
import type { ProofStep } from '../protocol.js';
import type { Plan } from './plan.js';

/** How long a policy server may take, in milliseconds: policyd-spf is a Python program that starts with the question. */
const ANSWER_LIMIT_MS = 15_000;

type Target = { readonly host: string; readonly port: number } | { readonly path: string };

export interface PolicyExpectation {
  /** By what people call it in the texts: where it is asked. */
  readonly servers: readonly { readonly name: string; readonly target: Target }[];
  /** Whether somebody from outside must get as far as to be accepted, or to be asked to come again. */
  readonly stranger: boolean;
}

export const NO_POLICY_QUESTIONS: PolicyExpectation = { servers: [], stranger: false };

/** Whether a change touches what strangers are asked. */
export function isAboutPolicy({ touched }: Plan): boolean {
  return touched.some(({ section }) => [policySection.id, 'exceptions'].includes(section.id));
}

export function policyExpectationOf(view: ConfigView, paths: Paths): PolicyExpectation {
  const asked = view.parameter(POLICY_CLASS);
  const local = (port: number): Target => ({ host: '127.0.0.1', port });
  const socket = `private/${SPF_SERVICE}`;
  const servers = [
    ...[POSTGREY, BLOCK_LISTS].flatMap(({ port, definition }) =>
      asked.includes(`:${view.port(port)},`)
        ? [{ name: definition.name, target: local(view.port(port)) }]
        : [],
    ),
    ...(asked.includes(`unix:${socket},`)
      ? [{ name: 'policyd-spf', target: { path: `${paths.queueDir}/${socket}` } }]
      : []),
  ];
  return { servers, stranger: true };
}

/** Asks each server as smtpd(8) would. Never throws. */
export async function provePolicy({ servers }: PolicyExpectation): Promise<ProofStep[]> {
  return Promise.all(
    servers.map(async ({ name, target }) => {
      const values = { service: name };
      try {
        const detail = await askPolicy(target, probeRequest(), ANSWER_LIMIT_MS);
        return { key: 'proof.policy', values, ok: detail.startsWith('action='), detail };
      } catch (error) {
        return { key: 'proof.policy', values, ok: false, detail: String(error) };
      }
    }),
  );
}
