/**
 * `/health`: one word for whatever watches this machine, to anybody who can reach the console. What is wrong is told on the
 * pages, to people who are signed in, and to root by `mailserver-console status`.
 */
import type { RequestHandler } from 'express';
import type { Log, PluginHealth } from '../../contract.js';

/** How long an answer is given again, in milliseconds: each look asks the helper. */
export const HEALTH_AGE_MS = 10_000;

export interface HealthParts {
  readonly health: () => Promise<Pick<PluginHealth, 'status'>>;
  readonly log: Log;
  readonly now?: () => number;
}

/** 200 while mail flows (`ok`, `degraded`), else 503 (`failing`). */
export function healthPage({ health, log, now = Date.now }: HealthParts): RequestHandler {
  let known: { readonly until: number; readonly status: Promise<PluginHealth['status']> } | null =
    null;

  const look = async (): Promise<PluginHealth['status']> => {
    try {
      return (await health()).status;
    } catch (error) {
      log.error({ err: error }, 'the health could not be told');
      return 'failing';
    }
  };

  return async (_req, res) => {
    if (known === null || known.until < now()) {
      known = { until: now() + HEALTH_AGE_MS, status: look() };
    }
    const status = await known.status;
    res
      .status(status === 'failing' ? 503 : 200)
      .set('Cache-Control', 'no-store')
      .json({ status });
  };
}
