/** The console of a whole appliance, and the mail that it looks after, as seen from this machine. */
import assert from 'node:assert/strict';
import type { Appliance } from './appliance.js';
import { ConsoleClient } from './console-client.js';
import { readMbox } from './mailbox.js';
import { SmtpClient, sendMail } from './smtp-client.js';
import { until } from './wait.js';

export const BASE = '/mail/configuration/base';
const LOGIN = 'admin';

export interface Names {
  readonly page: string;
  readonly file: string;
  readonly banner: string;
}

export class ApplianceConsole {
  password = '';
  smtpPort = 0;
  #browser: ConsoleClient | null = null;

  constructor(private readonly appliance: Appliance) {}

  get browser(): ConsoleClient {
    if (!this.#browser) throw new Error('nobody is signed in yet');
    return this.#browser;
  }

  /** Also after a boot: the tunnels are new, the console has to come up by itself. */
  async signIn(): Promise<void> {
    const url = `http://127.0.0.1:${await this.appliance.tunnel(8025)}`;
    await this.openMail();
    await until('the console to answer', async () => (await fetch(url).catch(() => null)) !== null);
    this.#browser = await new ConsoleClient(url).signIn(LOGIN, this.password);
  }

  async openMail(): Promise<void> {
    this.smtpPort = await this.appliance.tunnel(25);
  }

  async saveName(name: string): Promise<void> {
    const page = await this.browser.submit(
      BASE,
      { mailServerName: name },
      { button: 'intent=save' },
    );
    assert.equal(page.status, 200, page.text.slice(0, 2000));
  }

  /** What the page, the configuration and the running server say; they have to agree. */
  async namesSeen(): Promise<Names> {
    const form = (await this.browser.get(BASE)).forms.find(({ fields }) =>
      fields.some(([field]) => field === 'mailServerName'),
    );
    const file = (await this.appliance.must('postconf', '-h', 'myhostname')).trim();
    return {
      page: form?.fields.find(([field]) => field === 'mailServerName')?.[1] ?? '',
      file,
      banner: await this.banner(),
    };
  }

  /** The name Postfix greets with. */
  async banner(): Promise<string> {
    const greeting = await until('Postfix to greet', async () => {
      try {
        const [client, answer] = await SmtpClient.open(this.smtpPort);
        client.close();
        return answer.text;
      } catch {
        return null;
      }
    });
    return greeting.split(' ')[0] ?? '';
  }

  /** Sends a mail that has to come into the mailbox of alice. */
  async deliver(subject: string, to = 'alice@localhost'): Promise<void> {
    const answer = await sendMail(this.smtpPort, { from: 'a@client.example', to, subject });
    assert.equal(answer.data?.code, 250, JSON.stringify(answer));
    await until(`"${subject}" in the mailbox`, async () =>
      (await readMbox(this.appliance.path('/var/mail/alice'))).some((mail) =>
        mail.includes(subject),
      ),
    );
  }
}
