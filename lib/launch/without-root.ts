/** `npm start` without root: the console alone. It shows everything, and says that it cannot apply. */
import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { renderAnnouncement } from './announce.js';
import { DEFAULT_LISTEN, type LaunchArguments } from './arguments.js';
import { takeFirstLogin } from './first-login.js';
import { runUntilStopped } from './foreground.js';
import { consoleSettings, unprivilegedConsoleProgram } from './programs.js';

/** Resolves with the exit code when it has been stopped. */
export async function runWithoutRoot(launch: LaunchArguments, home: string): Promise<number> {
  const base = process.env['XDG_STATE_HOME'] || join(homedir(), '.local/state');
  const stateFolder = join(base, 'mailserver-console');
  await mkdir(stateFolder, { recursive: true, mode: 0o700 });
  const settings = {
    ...consoleSettings(process.env),
    MAILSERVER_LISTEN: launch.listen ?? DEFAULT_LISTEN,
  };
  const program = unprivilegedConsoleProgram(home, stateFolder, settings);
  return runUntilStopped([program], async ([said]) => {
    const announcement = renderAnnouncement({
      headline: 'The mailserver console runs until you stop it (Ctrl-C).',
      address: String(said?.['url']),
      login: await takeFirstLogin(stateFolder),
      notes: [
        'Without root there is no helper: every page can be looked at, and nothing can be applied.',
        'To look after the mail of this machine, start it as root.',
      ],
    });
    process.stdout.write(announcement);
  });
}
