/**
 * What becomes of the password field: typed, kept, or to be entered again. A typed password is sealed at once and
 * readable nowhere after that; its box waits here while a form goes to and fro, since no page ever shows it.
 */
import { randomUUID } from 'node:crypto';
import { UserError, type Problem } from '../errors.js';
import { seal } from '../secrets/seal.js';
import { needsLogin, passwordFault, type QueryValues } from './schema.js';
import { bindingOf, keepsPassword } from './security.js';

/** How long a typed password waits for its form to come back, in milliseconds. */
const WAIT_MS = 30 * 60_000;
/** How many wait at most; the oldest goes first. */
const MAX_WAITING = 200;

/** The field as it was sent. */
export interface TypedPassword {
  /** As typed, '' when the field was left empty or not sent. */
  readonly text: string;
  /** Of a box that waits; '' for none. */
  readonly reference: string;
}

interface Waiting {
  readonly owner: string;
  readonly target: QueryValues;
  readonly box: string;
  readonly at: number;
}

export interface Passwords {
  /** Seals a typed password for these settings. Throws `UserError` when fetchmail could not send it. */
  seal(text: string, target: QueryValues): Promise<string>;
  /** Keeps a box for the next time the form comes; returns what the form has to carry. */
  keep(box: string, target: QueryValues, owner: string): string;
  waiting(reference: string, owner: string): { box: string; target: QueryValues } | null;
}

export function createPasswords(publicKey: () => Promise<string>): Passwords {
  const boxes = new Map<string, Waiting>();
  const sweep = (): void => {
    for (const [reference, { at }] of boxes) {
      if (boxes.size > MAX_WAITING || Date.now() - at > WAIT_MS) boxes.delete(reference);
    }
  };
  return {
    async seal(text, target) {
      const fault = passwordFault(text);
      if (fault !== null) throw new UserError(problem(`password.${fault}`));
      return seal(await publicKey(), text, bindingOf(target));
    },
    keep(box, target, owner) {
      const reference = randomUUID();
      boxes.set(reference, { owner, target, box, at: Date.now() });
      sweep();
      return reference;
    },
    waiting(reference, owner) {
      sweep();
      const found = boxes.get(reference);
      return found && found.owner === owner ? found : null;
    },
  };
}

function problem(name: string): Problem {
  return { key: `fetchmail.problem.${name}`, values: {}, field: 'remotePassword' };
}

export interface Decided {
  readonly box: string;
  /** Whether somebody entered it with this very form, so that it has to wait while the form is shown again. */
  readonly fresh: boolean;
}

/**
 * The password these settings shall have. `current` is what holds now, null for a new query.
 * Throws `UserError` when it must be entered, or entered again.
 */
export async function decidePassword(
  typed: TypedPassword,
  target: QueryValues,
  current: QueryValues | null,
  owner: string,
  passwords: Passwords,
): Promise<Decided> {
  if (!needsLogin(target.protocol)) return { box: '', fresh: false };
  if (typed.text !== '') return { box: await passwords.seal(typed.text, target), fresh: true };
  const waiting = passwords.waiting(typed.reference, owner);
  if (waiting !== null && keepsPassword(waiting.target, target)) {
    return { box: waiting.box, fresh: true };
  }
  const stored = current?.remotePassword ?? '';
  if (current !== null && stored !== '' && keepsPassword(current, target)) {
    return { box: stored, fresh: false };
  }
  const again = stored !== '' || waiting !== null;
  throw new UserError(problem(again ? 'passwordAgain' : 'password.empty'));
}
