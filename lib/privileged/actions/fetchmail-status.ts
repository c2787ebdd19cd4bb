/** `fetchmail-status`: how the last polls went, whether anybody polls, and what the installed fetchmail offers. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import Joi from 'joi';
import { fetchPlaces } from '../../fetcher/places.js';
import { parseStatus, type QueryStatus } from '../../fetcher/status.js';
import { readText } from '../files.js';
import { defineAction } from './action.js';

/** The scheduler gives a sign of life every ten seconds; after this many milliseconds without one it is down. */
const SILENCE_MS = 45_000;

export const fetchmailStatusAction = defineAction({
  quiet: true,
  timeoutMs: 20_000,
  params: Joi.object<{ id: string | null }>({
    /** One query, with its dialogue; null for all, without. */
    id: Joi.string()
      .pattern(/^[1-9][0-9]{0,17}$/)
      .allow(null)
      .required(),
  }),
  run: async ({ id }, { paths }) => {
    const places = fetchPlaces(paths.root);
    const names = id === null ? await readdir(places.state).catch(() => []) : [id];
    const ids = names.filter((name) => /^[1-9][0-9]{0,17}$/.test(name));
    const found = await Promise.all(
      ids.map(async (one) => [one, await readStatus(places.of(one).status)] as const),
    );
    const queries = found.flatMap(([one, status]) => {
      if (status === null) return [];
      return [[one, id === null ? { ...status, dialogue: [] } : status] as const];
    });
    return {
      installed: existsSync('/usr/bin/fetchmail'),
      running: await isAlive(`${places.state}/scheduler.json`),
      queries: Object.fromEntries(queries),
    };
  },
});

/** What stands there was written without our rights, so nothing of it is believed without a look. */
async function readStatus(file: string): Promise<QueryStatus | null> {
  const text = await readText(file).catch(() => null);
  return text === null || text.length > 1_000_000 ? null : parseStatus(text);
}

async function isAlive(file: string): Promise<boolean> {
  try {
    const { at } = JSON.parse((await readText(file)) ?? '') as { at?: string };
    return Date.now() - Date.parse(at ?? '') < SILENCE_MS;
  } catch {
    return false;
  }
}
