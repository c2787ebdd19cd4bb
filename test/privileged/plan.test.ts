import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import Joi from 'joi';
import { HelperError } from '../../lib/errors.js';
import { editsConfiguration } from '../../lib/privileged/apply/stage.js';
import { NOTHING_DECIDED } from '../../lib/privileged/apply/decided.js';
import { makePlan, type Plan } from '../../lib/privileged/apply/plan.js';
import { MAX_VALUE_BYTES } from '../../lib/privileged/apply/render.js';
import { stateAfter } from '../../lib/privileged/apply/remember.js';
import { EMPTY_STATE, type HelperState } from '../../lib/privileged/state.js';
import { sections } from '../../lib/sections/index.js';
import { createRegistry } from '../../lib/sections/registry.js';
import type { Section, SectionOutput } from '../../lib/sections/section.js';
import { configView } from '../support/config-view.js';

/** What a section that is no more than its output says for the settings `{ value }`. */
function sectionOf(
  render: (value: string) => SectionOutput,
  owns: Partial<Section['owns']>,
): Section<{ value: string }> {
  return {
    id: 'sample',
    schema: Joi.object<{ value: string }>({ value: Joi.string().allow('').required() }).required(),
    owns: { parameters: [], lists: [], master: [], tables: [], files: [], ...owns },
    render: ({ value }) => render(value),
    read: () => ({ settings: { value: '' }, unclear: [] }),
  };
}

function stateWith(
  settings: Record<string, unknown>,
  written: Partial<HelperState['written']> = {},
) {
  return { ...EMPTY_STATE, sections: settings, written: { ...EMPTY_STATE.written, ...written } };
}

/** main.cf after the plan; what `postconf` would make of it. */
function afterwards(set: Readonly<Record<string, string>>, plan: Plan): Record<string, string> {
  const after = new Map(Object.entries(set));
  for (const [name, value] of plan.parameters) {
    if (value === null) after.delete(name);
    else after.set(name, value);
  }
  return Object.fromEntries(after);
}

function failsWith(key: string): (error: unknown) => boolean {
  return (error) => error instanceof HelperError && error.key === key;
}

describe('a plan', () => {
  const base = sections.get('base');
  assert.ok(base);
  const readBase = (set: Record<string, string>) => base.read(configView(set)).settings;

  it('brings back the program that sorted mail when Maildir is taken back', () => {
    const set = { mailbox_command: 'procmail -a "$EXTENSION"', message_size_limit: '10485760' };
    const adopted = readBase(set) as object;
    let machine: Record<string, string> = set;
    let state: HelperState = EMPTY_STATE;
    const save = (settings: object): void => {
      const plan = makePlan(sections, { base: settings }, state, configView(machine));
      machine = afterwards(machine, plan);
      state = stateAfter(state, plan, configView(machine));
    };
    save(adopted);
    save({ ...adopted, mailboxFormat: 'maildir' });
    assert.equal(machine['mailbox_command'], undefined);
    assert.equal(machine['home_mailbox'], 'Maildir/');
    save({ ...adopted, mailboxFormat: 'maildir', mailServerName: 'mail.example.org' });
    save({ ...adopted, mailServerName: 'mail.example.org' });
    assert.equal(machine['mailbox_command'], set.mailbox_command);
    assert.equal(machine['home_mailbox'], undefined);
    save({ ...adopted, mailboxFormat: 'maildir' });
    save({ ...adopted, delivery: 'lmtp' });
    save(adopted);
    assert.equal(machine['mailbox_command'], set.mailbox_command, 'by way of LMTP');
  });

  it('touches nothing for an unchanged form, whatever the machine has', () => {
    const value = (...known: string[]) => fc.option(fc.constantFrom(...known), { nil: undefined });
    const machine = fc.record(
      {
        myhostname: value('mail.example.org', 'Mail.Example.ORG', '$foo.example', ''),
        message_size_limit: value('0', '10240000', '20971520', '1', 'abc', '99999999999'),
        mailbox_size_limit: value('0', '1000', '51200000', '$message_size_limit'),
        mailbox_transport: value(
          '',
          'lmtp:unix:private/dovecot',
          'lmtp:inet:localhost:24',
          'lmtp:inet:[::1]:24',
        ),
        mailbox_transport_maps: value(
          '',
          'hash:/etc/postfix/t',
          'pipemap:{unix:passwd.byname, static:{lmtp:inet:h:24}}',
        ),
        mailbox_command: value('', 'procmail -a "$EXTENSION"'),
        home_mailbox: value('', 'Maildir/', 'Mailbox'),
        local_recipient_maps: value('', '$alias_maps', 'proxy:unix:passwd.byname $alias_maps'),
        luser_relay: value('', 'postmaster@$domain', '$user@other.example', 'root'),
        mydestination: value(
          '',
          'a.example, a.example',
          'B.example a.example',
          '$myhostname, hash:/x, localhost',
          'müller.example',
        ),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(machine, (found) => {
        const set = Object.fromEntries(
          Object.entries(found).filter(
            (entry): entry is [string, string] => entry[1] !== undefined,
          ),
        );
        const view = configView(set);
        const forms = Object.fromEntries(
          sections.all.map((section) => [section.id, section.read(view).settings]),
        );
        for (const section of sections.all) {
          // What a page could not even show must not be saved silently: it is not the case here.
          if (section.schema.validate(forms[section.id]).error) continue;
          const first = makePlan(sections, { [section.id]: forms[section.id] }, EMPTY_STATE, view);
          assert.deepEqual([...first.parameters], [], section.id);
          const state = stateAfter(EMPTY_STATE, first, view);
          const second = makePlan(sections, { [section.id]: forms[section.id] }, state, view);
          assert.ok(!editsConfiguration(second), section.id);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('touches at the first save only what the form changed', () => {
    const set = {
      mailbox_command: 'procmail',
      luser_relay: 'somebody',
      message_size_limit: '12345678',
    };
    const settings = { ...(readBase(set) as object), mailServerName: 'mx.example.org' };
    const plan = makePlan(sections, { base: settings }, EMPTY_STATE, configView(set));
    assert.deepEqual([...plan.parameters], [['myhostname', 'mx.example.org']]);
  });

  it('leads back to the same main.cf when a save is undone', () => {
    const set = { myhostname: 'old.example', mydestination: '$myhostname, x.example, localhost' };
    const before = { base: readBase(set), domains: { names: ['x.example'] } };
    const after = {
      base: { ...(before.base as object), mailServerName: 'new.example', maxMessageSizeMb: null },
      domains: { names: ['x.example', 'y.example'] },
    };
    const there = makePlan(sections, after, EMPTY_STATE, configView(set));
    const changed = configView(afterwards(set, there));
    const state = stateAfter(EMPTY_STATE, there, changed);
    const back = makePlan(sections, before, state, changed);
    const { myhostname, mydestination, message_size_limit } = afterwards(
      afterwards(set, there),
      back,
    );
    assert.deepEqual({ myhostname, mydestination }, set);
    // It was not set before: now the default stands there, to the byte.
    assert.equal(message_size_limit, '10240000');
  });

  it('leaves a hand edit alone until the person agrees to overwrite it', () => {
    const state = stateWith({ base: readBase({ myhostname: 'ours.example' }) });
    const view = configView({ myhostname: 'theirs.example' });
    const save = { base: readBase({ myhostname: 'ours.example' }) };
    assert.deepEqual([...makePlan(sections, save, state, view).parameters], []);
    const agreed = makePlan(sections, save, state, view, {
      ...NOTHING_DECIDED,
      overwrite: new Set(['myhostname']),
    });
    assert.deepEqual([...agreed.parameters], [['myhostname', 'ours.example']]);
  });

  it('puts back an element of a list that the person agreed to overwrite', () => {
    const state = stateWith(
      { domains: { names: ['a.example'] } },
      { lists: { mydestination: ['a.example'] } },
    );
    const view = configView({ mydestination: 'localhost' });
    const save = { domains: { names: ['a.example'] } };
    assert.deepEqual([...makePlan(sections, save, state, view).parameters], []);
    const agreed = makePlan(sections, save, state, view, {
      ...NOTHING_DECIDED,
      overwrite: new Set(['mydestination']),
    });
    assert.deepEqual([...agreed.parameters], [['mydestination', 'localhost, a.example']]);
  });

  it('reads settings anew that an older version of the section remembered', () => {
    const state = stateWith({ base: { mailServerName: 'x.example' } });
    const view = configView({ myhostname: 'mx.example' });
    const settings = {
      ...(readBase({ myhostname: 'mx.example' }) as object),
      mailServerName: 'new.example',
    };
    const plan = makePlan(sections, { base: settings }, state, view);
    assert.deepEqual([...plan.parameters], [['myhostname', 'new.example']]);
  });

  it('removes a table whose section names it no more', () => {
    const section = sectionOf(
      (value) =>
        value === '' ? {} : { tables: { secrets: { entries: [['host', value]], secret: true } } },
      { tables: ['secrets'] },
    );
    const registry = createRegistry([section]);
    const state = stateWith({ sample: { value: 'password' } });
    const plan = makePlan(registry, { sample: { value: '' } }, state, configView());
    assert.deepEqual([...plan.tables], [['secrets', null]]);
  });

  it('writes an option on a foreign service once, and removes it again', () => {
    const registry = createRegistry([
      sectionOf(
        (value) => ({
          masterOptions: { 'smtp/inet': { content_filter: value === '' ? null : value } },
        }),
        { options: ['smtp/inet/content_filter'] },
      ),
    ]);
    const plain = configView({}, ['smtp inet n - y - - smtpd -o x=y']);
    const on = makePlan(registry, { sample: { value: 'scan:[::1]:10' } }, EMPTY_STATE, plain);
    assert.deepEqual([...on.options], [['smtp/inet/content_filter', 'scan:[::1]:10']]);
    const filtered = configView({}, [
      'smtp inet n - y - - smtpd -o x=y -o content_filter=scan:[::1]:10',
    ]);
    const state = stateWith({ sample: { value: 'scan:[::1]:10' } });
    const again = makePlan(registry, { sample: { value: 'scan:[::1]:10' } }, state, filtered);
    assert.deepEqual([...again.options], []);
    const off = makePlan(registry, { sample: { value: '' } }, state, filtered);
    assert.deepEqual([...off.options], [['smtp/inet/content_filter', null]]);
  });

  it('refuses what a section says of things it does not own', () => {
    const service = {
      type: 'unix',
      private: 'y',
      unprivileged: '-',
      chroot: 'n',
      wakeup: '-',
      maxproc: '-',
      command: 'pipe',
      options: [],
    } as const;
    const outputs: SectionOutput[] = [
      { parameters: { mynetworks: '0.0.0.0/0' } },
      { master: { 'evil/unix': service } },
      { masterOptions: { 'smtp/inet': { content_filter: 'evil' } } },
      { tables: { aliases: { entries: [], secret: false } } },
      { files: { '/etc/cron.d/evil': null } },
      { files: { '/etc/own/../passwd': null } },
      { files: { '/etc/own/.hidden': null } },
    ];
    for (const output of outputs) {
      const registry = createRegistry([sectionOf(() => output, { folders: ['/etc/own'] })]);
      assert.throws(
        () => makePlan(registry, { sample: { value: 'x' } }, EMPTY_STATE, configView()),
        failsWith('helper.render.failed'),
        JSON.stringify(output),
      );
    }
  });

  it('lets no value through that could be read as another line or another value', () => {
    const registry = createRegistry([
      sectionOf((value) => ({ parameters: { myhostname: value } }), { parameters: ['myhostname'] }),
    ]);
    const bad = [
      'a\nmynetworks=x',
      'a\r',
      'a\0',
      ' a',
      'a ',
      '\ta',
      'a\u0085b',
      'a\u2028b',
      'a\u009b',
      'a\ud800',
    ];
    for (const value of bad) {
      assert.throws(
        () => makePlan(registry, { sample: { value } }, EMPTY_STATE, configView()),
        failsWith('helper.render.unsafe'),
        JSON.stringify(value),
      );
    }
    const long = 'x'.repeat(MAX_VALUE_BYTES + 1);
    assert.throws(
      () => makePlan(registry, { sample: { value: long } }, EMPTY_STATE, configView()),
      failsWith('helper.render.long'),
    );
  });

  it('refuses sections that do not exist and settings that a form would refuse', () => {
    const plan = (requested: Record<string, unknown>) => () =>
      makePlan(sections, requested, EMPTY_STATE, configView());
    assert.throws(plan({ nonsense: {} }), failsWith('helper.validate.section'));
    assert.throws(plan({ constructor: {} }), failsWith('helper.validate.section'));
    assert.throws(
      plan({ domains: { names: ['ok.example'], extra: 1 } }),
      failsWith('helper.validate.settings'),
    );
    assert.throws(plan({ domains: null }), failsWith('helper.validate.settings'));
  });
});
