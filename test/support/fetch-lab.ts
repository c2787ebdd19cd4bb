/** A lab beside a provider with real mailboxes: the names of its servers are known in the lab, and its authority trusted. */
import { execFileSync } from 'node:child_process';
import { appendFile } from 'node:fs/promises';
import type { ConsoleClient, Page, Typed } from './console-client.js';
import { startLab, type Lab } from './lab.js';
import { REMOTE_HOSTS, startRemoteMailboxes, type RemoteMailboxes } from './remote-mailboxes.js';

export const FETCHMAIL = '/mail/fetchmail';

export interface FetchLab {
  readonly lab: Lab;
  readonly remote: RemoteMailboxes;
  readonly client: ConsoleClient;
  /** Adds a query on its page; what is not given is as the page has it, but not encrypted. */
  add(typed: Typed): Promise<Page>;
  /** A message with an own subject. */
  message(subject: string, headers?: string, body?: string): string;
  stop(): Promise<void>;
}

export async function startFetchLab(): Promise<FetchLab> {
  const remote = await startRemoteMailboxes();
  const lab = await startLab();
  const { pids } = await lab.facts();
  await appendFile(`${lab.root}/etc/hosts`, REMOTE_HOSTS);
  execFileSync('/usr/bin/nsenter', [
    ...['-t', String(pids.inside), '-m', '--'],
    ...['/usr/bin/mount', '--bind', remote.authorities, '/etc/ssl/certs'],
  ]);
  const client = await lab.signIn();
  const domains = '/mail/configuration/domains';
  await client.submit(domains, { name: 'example.org' }, { action: domains });
  return {
    lab,
    remote,
    client,
    add: (typed) =>
      client.submit(
        `${FETCHMAIL}/new`,
        {
          ...{ sameServer: null, server: '127.0.0.1', ssl: 'none', certificate: 'none' },
          ...{ protocol: 'imap', port: String(remote.ports.imap), interval: '10' },
          ...typed,
        },
        { action: `${FETCHMAIL}/new`, button: 'intent=save' },
      ),
    message: (subject, headers = '', body = `The text of ${subject}.\n`) =>
      `From: somebody@elsewhere.example\nTo: me@provider.example\nMessage-ID: <${subject}@fetch.test>\n${headers}Subject: ${subject}\n\n${body}`,
    stop: async () => {
      await lab.stop();
      await remote.stop();
    },
  };
}
