/** Every hostile value in every field of Base configuration and Local domains, as a browser would send it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formFields } from '../support/forms.js';
import { pluginPages } from '../support/plugin-pages.js';
import { hostileTexts, IDN_TRICKS } from './hostile.js';

const BASE = '/mail/configuration/base';
const DOMAINS = '/mail/configuration/domains';

/** Fields that take the name of a machine. */
const NAMES = new Set(['mailServerName', 'lmtpHost', 'name']);
/** What is right but for blanks around it, which a form takes away. */
const ONLY_BLANKS = /^\s*a\.example\s*$/;

describe('a hostile value', () => {
  const pages = pluginPages({ tables: [] });

  const texts = hostileTexts('/tmp/canary').filter((text) => !ONLY_BLANKS.test(text));
  const places: readonly (readonly [string, string, Readonly<Record<string, string>>])[] = [
    [BASE, 'mailServerName', {}],
    [BASE, 'maxMessageSizeMb', {}],
    [BASE, 'delivery', {}],
    [BASE, 'mailboxFormat', {}],
    [BASE, 'unknownRecipient', {}],
    [BASE, 'lmtpHost', { delivery: 'lmtp' }],
    [BASE, 'lmtpPort', { delivery: 'lmtp' }],
    [DOMAINS, 'name', {}],
  ];

  for (const [path, field, more] of places) {
    it(`in ${field} is refused with the field named, and nothing is written`, async () => {
      const page = await pages.get(path).expect(200);
      const fields = { ...formFields(page.text), ...more, intent: 'save' };
      const send = async (body: string, what: string): Promise<void> => {
        const answer = await pages.post(path, body);
        assert.equal(answer.status, 422, what);
        assert.match(answer.text, new RegExp(`href="#${field}[^"]*"`), what);
      };
      const all = NAMES.has(field) ? [...texts, ...IDN_TRICKS] : texts;
      for (const text of all) {
        const body = new URLSearchParams({ ...fields, [field]: text });
        await send(body.toString(), JSON.stringify(text).slice(0, 60));
      }
      const others = new URLSearchParams(fields);
      others.delete(field);
      for (const bytes of ['%ff%fea.example', 'a%c0%ae.example', '%ed%a0%80.example']) {
        await send(`${others.toString()}&${field}=${bytes}`, bytes);
      }
      assert.deepEqual(pages.helper.applied, []);
      assert.deepEqual(await pages.database.db('mail_settings'), []);
      assert.deepEqual(await pages.database.db('mail_domains'), []);
      assert.deepEqual(await pages.database.db('mail_changes'), []);
    });
  }
});
