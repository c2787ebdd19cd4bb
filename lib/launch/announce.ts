/** What the person who typed `npm start` gets to read at the end. */
import type { Login } from './first-login.js';

export interface Announcement {
  readonly headline: string;
  readonly address: string;
  /** The first account, the one time it is known. */
  readonly login: Login | null;
  readonly notes: readonly string[];
}

export function renderAnnouncement({ headline, address, login, notes }: Announcement): string {
  const facts = [
    ['Address', address],
    ...(login
      ? [
          ['User', login.user],
          ['Password', login.password],
        ]
      : []),
  ];
  return [
    '',
    headline,
    '',
    ...facts.map(([name = '', value = '']) => `${name.padEnd(10)}${value}`),
    '',
    ...(login ? ['The password is shown only now. Change it under "My account".'] : []),
    ...notes,
    '',
  ]
    .map((line) => `  ${line}`.trimEnd())
    .join('\n');
}

/** How a person reaches what the console listens on. */
export function addressOf(listen: string): string {
  return listen.startsWith('unix:') ? listen : `http://${listen}`;
}
