/**
 * What becomes of the password field: typed, kept, removed, or to be entered again. A typed password is sealed at once
 * and readable nowhere after that; its box waits here while a form goes to and fro, since no page ever shows it.
 */
import { randomUUID } from 'node:crypto';
import { UserError, type Problem } from '../errors.js';
import { seal } from '../secrets/seal.js';
import { bindingOf, keepsPassword } from './binding.js';
import { passwordFault, type SmarthostSettings } from './schema.js';

/** How long a typed password waits for its form to come back, in milliseconds. */
const WAIT_MS = 30 * 60_000;
/** How many wait at most; the oldest goes first. */
const MAX_WAITING = 200;

type Target = Omit<SmarthostSettings, 'password'>;

/** The field as it was sent. */
export interface TypedPassword {
  /** As typed, '' when the field was left empty or not sent. */
  readonly text: string;
  /** Of a box that waits; '' for none. */
  readonly reference: string;
  readonly remove: boolean;
}

interface Waiting {
  readonly owner: string;
  readonly target: Target;
  readonly box: string;
  readonly at: number;
}

export interface Passwords {
  /** The box a reference stands for, and the settings it was entered for. */
  waiting(reference: string, owner: string): { box: string; target: Target } | null;
  /** Seals a typed password for these settings. Throws `UserError` when Postfix could not send it. */
  seal(text: string, target: Target): Promise<string>;
  /** Keeps a box for the next time the form comes; returns what the form has to carry. */
  keep(box: string, target: Target, owner: string): string;
}

export function createPasswords(
  publicKey: () => Promise<string>,
  now: () => number = Date.now,
): Passwords {
  const boxes = new Map<string, Waiting>();
  const sweep = (): void => {
    for (const [reference, { at }] of boxes) {
      if (boxes.size > MAX_WAITING || now() - at > WAIT_MS) boxes.delete(reference);
    }
  };
  return {
    waiting(reference, owner) {
      sweep();
      const found = boxes.get(reference);
      return found && found.owner === owner ? { box: found.box, target: found.target } : null;
    },
    async seal(text, target) {
      const fault = passwordFault(text);
      if (fault !== null) throw new UserError(passwordProblem(fault));
      return seal(await publicKey(), text, bindingOf(target));
    },
    keep(box, target, owner) {
      const reference = randomUUID();
      boxes.set(reference, { owner, target, box, at: now() });
      sweep();
      return reference;
    },
  };
}

function passwordProblem(fault: string): Problem {
  return { key: `smarthost.problem.password.${fault}`, values: {}, field: 'password' };
}

/** What a typed password lacks: the server, or the user of it. */
function missingBeside({ host }: Target): Problem {
  const field = host === '' ? 'host' : 'username';
  return { key: `smarthost.problem.${field}.missing`, values: {}, field };
}

export interface Decided {
  readonly box: string;
  /** Whether somebody entered it with this very form, so that it has to wait while the form is shown again. */
  readonly fresh: boolean;
}

/**
 * The password these settings shall have. `target` is what the form asks for, `current` what holds now.
 * Throws `UserError` when it must be entered, or entered again.
 */
export async function decidePassword(
  typed: TypedPassword,
  target: Target,
  current: SmarthostSettings,
  owner: string,
  passwords: Passwords,
): Promise<Decided> {
  if (target.username === '') {
    // Dropping it without a word would leave somebody in the belief that the login is set.
    if (typed.text !== '') throw new UserError(missingBeside(target));
    return { box: '', fresh: false };
  }
  if (typed.text !== '') return { box: await passwords.seal(typed.text, target), fresh: true };
  const waiting = passwords.waiting(typed.reference, owner);
  if (waiting !== null && keepsPassword(waiting.target, target)) {
    return { box: waiting.box, fresh: true };
  }
  if (current.password !== '' && keepsPassword(current, target)) {
    return { box: current.password, fresh: false };
  }
  const key = current.password === '' && waiting === null ? 'password' : 'passwordAgain';
  throw new UserError({ key: `smarthost.problem.${key}`, values: {}, field: 'password' });
}
