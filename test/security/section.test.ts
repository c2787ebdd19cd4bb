/** What the scanners are told: whole files, beside golden ones, and values that must never get into them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { PACKAGE_ROOT } from '../../lib/package-root.js';
import { readDirectives, withDirectives } from '../../lib/privileged/apply/directives.js';
import { formatMasterService } from '../../lib/privileged/postfix/master.js';
import { renderAmavis } from '../../lib/security/amavis.js';
import { AMAVIS_FILE, CLAMD_FILE, SPAMASSASSIN_FILE } from '../../lib/security/places.js';
import {
  SECURITY_DEFAULTS,
  securitySchema,
  type SecuritySettings,
} from '../../lib/security/schema.js';
import { securitySection } from '../../lib/security/section.js';
import { renderSpamAssassin } from '../../lib/security/spamassassin.js';
import { configView } from '../support/config-view.js';

const ON: SecuritySettings = {
  ...SECURITY_DEFAULTS,
  ...{ spam: true, virus: true, keepLevel: 12, alertAddress: 'admin@example.com' },
  trustedServers: ['192.0.2.10'],
};
const VIEW = configView({ myhostname: 'mail.example.com', mynetworks: '127.0.0.0/8 10.1.0.0/16' });
const ALL = { domains: { names: ['example.com', 'example.org'] } };
const EXCEPTIONS = {
  values: ['192.0.2.7', '198.51.100.0/24', '2001:db8::/48', 'a_%+=&~-z@example.net', 'example.edu'],
};

const golden = (name: string): string =>
  readFileSync(`${PACKAGE_ROOT}test/security/golden/${name}.txt`, 'utf8');
const render = (settings: SecuritySettings) => securitySection.render(settings, VIEW, ALL);
const services = (settings: SecuritySettings): string =>
  Object.entries(render(settings).master ?? {})
    .map(([name, service]) =>
      service === null ? `${name} removed` : formatMasterService(name, service),
    )
    .join('\n');

describe('the section Security', () => {
  it('tells amavis and SpamAssassin what stands in the golden files', () => {
    const { files = {} } = render(ON);
    assert.equal(files[AMAVIS_FILE]?.content, golden('amavis'));
    assert.equal(files[SPAMASSASSIN_FILE]?.content, golden('spamassassin'));
  });

  it('tells amavis whose mail is never spam, by senders and by clients', () => {
    const { files = {} } = securitySection.render(ON, VIEW, { ...ALL, exceptions: EXCEPTIONS });
    const { content } = files[AMAVIS_FILE] ?? { content: '' };
    const added = /^# The exceptions.*?(?=^# Mail from other)/ms.exec(content)?.[0] ?? '';
    assert.equal(added, golden('exceptions'));
    assert.equal(content.replace(added, ''), golden('amavis'), 'nothing else changes');
    assert.equal(files[SPAMASSASSIN_FILE]?.content, golden('spamassassin'));
  });

  it('says nothing of exceptions, and so has nothing started anew, while nobody looks for spam', () => {
    const all = { ...ALL, exceptions: EXCEPTIONS };
    for (const settings of [{ ...ON, spam: false }, SECURITY_DEFAULTS]) {
      assert.deepEqual(securitySection.render(settings, VIEW, all), render(settings));
    }
  });

  it('tells Postfix where to take mail, after the queue', () => {
    assert.deepEqual(render(ON).parameters, {
      content_filter: 'mailserver-scan:[127.0.0.1]:10024',
    });
    assert.equal(`${services(ON)}\n`, golden('master'));
  });

  it('tells Postfix where to take mail, before the queue, and what is sent on the machine after it', () => {
    assert.deepEqual(render({ ...ON, place: 'before' }).parameters, {
      content_filter: 'mailserver-scan:[127.0.0.1]:10024',
      smtpd_proxy_filter: '127.0.0.1:10027',
      smtpd_proxy_options: 'speed_adjust',
    });
  });

  it('says nothing to anybody while all is off', () => {
    const { parameters, files, directives, master } = render(SECURITY_DEFAULTS);
    assert.deepEqual(parameters, {});
    assert.deepEqual(files, { [AMAVIS_FILE]: null, [SPAMASSASSIN_FILE]: null });
    assert.deepEqual(directives, {});
    assert.ok(Object.values(master ?? {}).every((service) => service === null));
  });

  it('leaves every other line of clamd.conf as it is, and puts an original back', () => {
    const text = '# by hand\nMaxFileSize 10M\n\nUser clamav\nMaxFileSize 11M\n';
    const wanted = new Map(Object.entries(render(ON).directives?.[CLAMD_FILE] ?? {}));
    const now = withDirectives(text, wanted);
    assert.match(now, /^# by hand\nMaxFileSize 25M\n\nUser clamav\n/);
    const back = new Map([...wanted.keys()].map((name) => [name, null]));
    assert.equal(
      withDirectives(now, new Map([...back, ['MaxFileSize', '10M']])),
      '# by hand\nMaxFileSize 10M\n\nUser clamav\n',
    );
    assert.equal(withDirectives(text, new Map()), text);
  });

  it('reads a file that is not there as an empty one', () => {
    assert.equal(readDirectives('/nowhere/clamd.conf').size, 0);
  });

  it('refuses levels that are swapped', () => {
    const levels = [
      { tagLevel: 7 },
      { markLevel: 1 },
      { keepLevel: 5 },
      { markLevel: Number.NaN },
      { tagLevel: 2.345_67 },
    ];
    for (const wrong of levels) {
      const { error } = securitySchema.validate({ ...ON, ...wrong }, { convert: false });
      assert.ok(error, JSON.stringify(wrong));
    }
  });

  it('lets no value end a word of a file that is a program', () => {
    const signs = fc.constantFrom(...`'"\\$@%;{}()\n\r\t\0\`a1 *`, '\u2028', '\u0085', 'ä');
    const text = fc.string({ unit: signs, maxLength: 20 });
    fc.assert(
      fc.property(text, text, (subjectTag, alertAddress) => {
        const settings = { ...ON, subjectTag, alertAddress };
        if (securitySchema.validate(settings, { convert: false }).error) return;
        const { content } = render(settings).files?.[AMAVIS_FILE] ?? { content: '' };
        const quotes = (line: string): number => line.split("'").length - 1;
        assert.ok(content.split('\n').every((line) => quotes(line) % 2 === 0));
        assert.equal(content.split('\n').length, golden('amavis').split('\n').length);
      }),
      { numRuns: 2_000 },
    );
  });

  it('refuses to render what came past the schema', () => {
    const port = () => 1;
    const exceptions = { domains: [], addresses: [], ips: [], networks: [] };
    const names = { root: '', hostName: 'a.b', localDomains: ['a.b'] };
    const surroundings = { ...names, networks: [], exceptions, port };
    for (const evil of [`'; system("id"); '`, 'a\nloadplugin Evil', 'a\\', '$x']) {
      assert.throws(() => renderAmavis({ ...ON, subjectTag: evil }, surroundings), RangeError);
      assert.throws(() => renderAmavis({ ...ON, alertAddress: evil }, surroundings), RangeError);
      assert.throws(() => renderAmavis(ON, { ...surroundings, localDomains: [evil] }), RangeError);
      for (const kind of Object.keys(exceptions)) {
        const wrong = { ...surroundings, exceptions: { ...exceptions, [kind]: [evil] } };
        assert.throws(() => renderAmavis(ON, wrong), RangeError);
      }
      assert.throws(() => renderSpamAssassin({ ...ON, trustedServers: [evil] }, []), RangeError);
    }
  });
});
