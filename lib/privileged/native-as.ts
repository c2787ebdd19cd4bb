/** Runs a native tool as another user of the machine, who gets no right back that it gave up (setpriv(1)). */
import { CLEAN_ENVIRONMENT, runNative, type NativeOptions, type NativeResult } from './native.js';

const SETPRIV = '/usr/bin/setpriv';

export interface OtherUser {
  readonly user: string;
  /** When not given, the one of the user's name. */
  readonly group?: string;
  /** Whether it is in the user's further groups too. */
  readonly allGroups?: boolean;
  readonly home: string;
}

/** As `runNative`; `environment` comes on top of the clean one with the home. */
export function runNativeAs(
  { user, group = user, allGroups = false, home }: OtherUser,
  program: string,
  args: readonly string[],
  { environment = {}, ...options }: NativeOptions = {},
): Promise<NativeResult> {
  const drop = [
    ...['--reuid', user, '--regid', group, allGroups ? '--init-groups' : '--clear-groups'],
    ...['--no-new-privs', '--'],
  ];
  return runNative(SETPRIV, [...drop, program, ...args], {
    ...options,
    environment: { ...CLEAN_ENVIRONMENT, HOME: home, ...environment },
  });
}
