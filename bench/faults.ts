/**
 * Hundreds of saves in which the helper is killed, at a chosen step or at any time, and killed again on its way back.
 * After each: files, record, state and daemon agree on old or new. Then a quarter as many through the page of a whole system,
 * in which console, helper or both are killed at any time: there the database agrees as well.
 * `node dist/bench/faults.js [rounds]`, as root.
 */
import { randomInt } from 'node:crypto';
import { FaultRounds } from '../test/support/fault-round.js';
import {
  faultyTransport,
  RECOVERY_POINTS,
  SAVE_POINTS,
  shortLivedTransport,
  type FaultPoint,
} from '../test/support/faults.js';
import { startPostfixRoot, type PostfixRoot } from '../test/support/postfix-root.js';
import { WholeRounds } from '../test/support/whole-round.js';
import { WholeSystem, type Part } from '../test/support/whole-system.js';
import type { HelperTransport } from '../lib/contract.js';

const DEFAULT_ROUNDS = 200;
/** How many rounds in ten are killed at a chosen step; the others at any time. */
const CHOSEN_IN_TEN = 4;
const KILL = { signal: 'KILL' } as const;

const VICTIMS: readonly (readonly Part[])[] = [['console'], ['helper'], ['console', 'helper']];

const total = Number(process.argv[2] ?? DEFAULT_ROUNDS);
await playHelper(total);
await playWhole(Math.ceil(total / 4));

async function playHelper(total: number): Promise<void> {
  const root = await startPostfixRoot();
  const tally = { old: 0, new: 0 };
  const started = performance.now();
  try {
    const rounds = await FaultRounds.begin(root);
    for (let round = 1; round <= total; round += 1) {
      const plan = choosePlan(root, rounds);
      try {
        tally[await rounds.play(plan.save, plan.recover)] += 1;
      } catch (cause) {
        throw new Error(`round ${round}: ${plan.words}`, { cause });
      }
      if (round % 10 === 0) console.log(`${round} rounds: ${tally.old} old, ${tally.new} new`);
    }
    const seconds = Math.round((performance.now() - started) / 1000);
    console.log(`${total} rounds in ${seconds} s, none between`);
  } finally {
    await root.stop();
  }
}

async function playWhole(total: number): Promise<void> {
  const system = await WholeSystem.start();
  const tally = { old: 0, new: 0 };
  const started = performance.now();
  try {
    const rounds = await WholeRounds.begin(system);
    for (let round = 1; round <= total; round += 1) {
      const parts = VICTIMS[randomInt(VICTIMS.length)] ?? [];
      const moment = Math.random() * 1.2 * rounds.saveMs;
      const kill = (): Promise<void> => system.kill(parts);
      try {
        tally[await rounds.play(moment, kill, () => system.restore())] += 1;
      } catch (cause) {
        throw new Error(`round ${round}: ${parts.join(' and ')} after ${moment} ms`, { cause });
      }
      if (round % 10 === 0) console.log(`${round} whole: ${tally.old} old, ${tally.new} new`);
    }
    const seconds = Math.round((performance.now() - started) / 1000);
    console.log(`${total} rounds of the whole system in ${seconds} s, none between`);
  } finally {
    await system.stop();
  }
}

interface RoundPlan {
  readonly words: string;
  readonly save: HelperTransport;
  readonly recover: readonly HelperTransport[];
}

function choosePlan(root: PostfixRoot, rounds: FaultRounds): RoundPlan {
  const words: string[] = [];
  const at = (points: readonly FaultPoint[]): HelperTransport => {
    const point = points[randomInt(points.length)] as FaultPoint;
    words.push(point.name);
    return faultyTransport(root, point, KILL);
  };
  const anyTime = (): HelperTransport => {
    const life = Math.random() * rounds.saveMs;
    words.push(`${Math.round(life)} of ${Math.round(rounds.saveMs)} ms`);
    return shortLivedTransport(root, life);
  };
  const chosen = () => randomInt(10) < CHOSEN_IN_TEN;
  const save = chosen() ? at(SAVE_POINTS) : anyTime();
  const recover = Array.from({ length: randomInt(3) }, () =>
    chosen() ? at(RECOVERY_POINTS) : anyTime(),
  );
  return { words: words.join(', then '), save, recover };
}
