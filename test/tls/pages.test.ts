import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Test } from 'supertest';
import type { HostCertificate } from '../../lib/contract.js';
import type { ResultOf } from '../../lib/privileged/actions/index.js';
import type { TlsSettings } from '../../lib/tls/schema.js';
import { pluginPages } from '../support/plugin-pages.js';
import { formFields, textOf } from '../support/forms.js';
import { AWAY, ENCRYPTION } from '../support/recording-helper.js';

const PATH = '/mail/configuration/tls';
const DAY_MS = 24 * 60 * 60 * 1000;
const inDays = (days: number): Date => new Date(Date.now() + days * DAY_MS + DAY_MS / 2);

function offered(id: string, days: number, problem: string | null = null): HostCertificate {
  return {
    id,
    label: `${id}.example.com`,
    names: [`${id}.example.com`],
    expires: inDays(days),
    problem,
  };
}

function found(
  { id, names, expires, problem }: HostCertificate,
  change: { readonly problem?: string } = {},
): ResultOf<'encryption'>['certificates'][number] {
  const issuer = '<b>Authority</b>';
  const facts = { names, issuer, selfSigned: false, expires: expires.toISOString() };
  return { id, problem, facts, ...change };
}

const CERTIFICATES = [
  offered('mail', 200),
  offered('soon', 5),
  offered('expired', -2, 'certificate.problem.expired'),
  offered('locked', 200),
  offered('missing', 200),
];

describe('the page Encryption and sign-in', () => {
  const pages = pluginPages({
    tables: ['changes', 'settings'],
    host: { certificates: CERTIFICATES },
    prepare: (helper) => {
      const [mail, soon, expired, locked] = CERTIFICATES as [HostCertificate, ...HostCertificate[]];
      const certificates = [
        ...[mail, soon, expired].flatMap((one) => (one ? [found(one)] : [])),
        ...(locked ? [found(locked, { problem: 'certificate.problem.keyUnreadable' })] : []),
      ];
      helper.answers['encryption'] = () => ({ ...ENCRYPTION, certificates, login: 'dovecot' });
    },
  });

  const get = (path = PATH): Test => pages.get(path);
  const post = (fields: Record<string, string>): Test => pages.post(PATH, fields);
  const shown = async (): Promise<Record<string, string>> =>
    formFields((await get().expect(200)).text);
  const applied = (): TlsSettings => pages.helper.applied.at(-1)?.sections['tls'] as TlsSettings;
  const save = async (change: Record<string, string>): Promise<void> => {
    const answer = await post({ ...(await shown()), ...change, intent: 'save' });
    assert.equal(answer.status, 303, textOf(answer.text));
  };

  it('says of every certificate for whom, from whom and until when, and what is wrong with it', async () => {
    const { text } = await get();
    const words = textOf(text);
    assert.match(words, /For mail\.example\.com\. From <b>Authority<\/b>\. Valid until/);
    assert.match(text, /&lt;b&gt;Authority/);
    assert.match(words, /soon\.example\.com.*Expires in 5 days/);
    assert.match(words, /expired\.example\.com.*Not usable.*It has expired\./);
    assert.match(words, /Its key cannot be read/);
    assert.match(words, /Its files are not where the mail server looks for them\./);
    assert.match(words, /not made out to old\.example\.com/);
    assert.match(words, /Dovecot checks user names and passwords/);
    for (const [id, closed] of [
      ['mail', false],
      ['soon', false],
      ['expired', true],
      ['locked', true],
    ]) {
      const radio =
        new RegExp(`name="certificate" value="${String(id)}"[^>]*>`).exec(text)?.[0] ?? '';
      assert.equal(/ disabled/.test(radio), closed, String(id));
    }
  });

  it('saves levels, certificate and ports, and says so in the history', async () => {
    await save({ incoming: 'encrypt', certificate: 'mail', submission: 'yes' });
    assert.deepEqual(applied(), {
      incoming: 'encrypt',
      outgoing: 'may',
      certificate: 'mail',
      submission: true,
      submissions: false,
    });
    await save({ submissions: 'yes' });
    assert.match(textOf((await get('/mail/history')).text), /Sign-in with SMTPS switched on/);
    const lead = textOf((await get()).text);
    assert.match(lead, /Mail from other servers is taken only encrypted\./);
    assert.match(lead, /sign in on the ports 587 and 465/);
    assert.match(
      textOf((await get('/mail/configuration/base')).text),
      /sign in on the ports 587 and 465/,
    );
  });

  it('refuses a certificate that cannot be used, with its reason, and writes nothing', async () => {
    const wrong: [string, RegExp][] = [
      ['expired', /It has expired/],
      ['locked', /Its key cannot be read/],
      ['missing', /not where the mail server looks/],
      ['gone', /no certificate of this name any more/],
      ['../../etc/passwd', /no certificate from the list/],
      ['a\nb', /./],
    ];
    for (const [certificate, reason] of wrong) {
      for (const intent of ['save', 'preview']) {
        const answer = await post({ ...(await shown()), certificate, intent });
        assert.equal(answer.status, 422, certificate);
        assert.match(textOf(answer.text), reason);
      }
    }
    for (const [field, value] of [
      ['incoming', 'always'],
      ['outgoing', ''],
      ['submission', 'maybe'],
    ]) {
      await post({ ...(await shown()), [String(field)]: String(value), intent: 'save' }).expect(
        422,
      );
    }
    assert.equal(pages.helper.applied.length, 0);
  });

  it('keeps a certificate that went bad until somebody chooses another one, and tells it on the overview', async () => {
    await save({ certificate: 'mail' });
    const gone = { ...ENCRYPTION, certificates: [], login: null };
    pages.helper.answers['encryption'] = () => gone;
    const { text } = await get();
    assert.match(textOf(text), /mail\.example\.com.*Not usable/);
    assert.match(textOf(text), /Our certificate mail\.example\.com cannot be used\./);
    await save({ outgoing: 'none' });
    assert.equal(applied().certificate, 'mail');
    const overview = textOf((await get('/mail/')).text);
    assert.match(overview, /The certificate mail\.example\.com cannot be used any more/);
  });

  it('says before it happens that a certificate runs out, and when nobody checks passwords', async () => {
    await save({ certificate: 'soon', submission: 'yes' });
    assert.match(
      textOf((await get('/mail/')).text),
      /The certificate soon\.example\.com expires in 5 days/,
    );
    const answer = pages.helper.answers['encryption'] as () => object;
    pages.helper.answers['encryption'] = () => ({ ...answer(), login: null });
    assert.match(textOf((await get('/mail/')).text), /Nobody can sign in to send mail/);
    assert.match(textOf((await get()).text), /Neither Dovecot nor saslauthd answers/);
  });

  it('shows at the field what the helper refuses about it', async () => {
    pages.helper.refusal = {
      ...{ stage: 'validate', key: 'tls.problem.noLogin', detail: '', restored: true },
      values: { section: 'tls', field: 'submission' },
    };
    const answer = await post({ ...(await shown()), submission: 'yes', intent: 'save' });
    assert.equal(answer.status, 422);
    assert.match(textOf(answer.text), /neither Dovecot nor saslauthd is ready/);
    assert.equal(formFields(answer.text)['submission'], 'yes');
  });

  it('offers the certificate of the set-up only while somebody knows it', async () => {
    await save({ certificate: 'mail' });
    const answer = pages.helper.answers['encryption'] as () => object;
    pages.helper.answers['encryption'] = () => ({ ...answer(), original: null });
    const { text } = await get();
    assert.doesNotMatch(text, /name="certificate" value=""/);
    const refused = await post({ ...(await shown()), certificate: '', intent: 'save' });
    assert.equal(refused.status, 422);
    assert.match(textOf(refused.text), /Nobody knows any more/);
  });

  it('works while the helper is away, shows both versions to the slower one, and knows the roles', async () => {
    const stale = await shown();
    await save({ outgoing: 'none' });
    const conflict = await post({ ...stale, outgoing: 'encrypt', intent: 'save' });
    assert.equal(conflict.status, 409);
    await get().set('x-roles', 'mail.read').expect(200);
    await post(await shown())
      .set('x-roles', 'mail.read,mail.operate')
      .expect(403);
    const fields = await shown();
    pages.helper.failure = AWAY;
    await get().expect(200);
    await get('/mail/configuration/base').expect(200);
    const refused = await post({ ...fields, outgoing: 'may', intent: 'save' });
    assert.equal(refused.status, 502);
  });
});
