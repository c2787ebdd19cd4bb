import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Test } from 'supertest';
import type { RelaySettings } from '../../lib/relay-subnets/schema.js';
import { CSRF } from '../support/dummy-host.js';
import { pluginPages } from '../support/plugin-pages.js';
import { formFields, textOf } from '../support/forms.js';
import { AWAY } from '../support/recording-helper.js';

const PATH = '/mail/configuration/relay-subnets';

describe('the page Open relay subnets', () => {
  const pages = pluginPages({ tables: ['changes', 'settings', 'relay_networks'] });

  const get = (path = PATH): Test => pages.get(path);
  const post = (fields: Record<string, string | string[]>, path = PATH): Test =>
    pages.post(path, { _csrf: CSRF, intent: 'save', ...fields });
  const applied = (): readonly string[] =>
    (pages.helper.applied.at(-1)?.sections['relay'] as RelaySettings).networks;
  const keyOf = async (network: string): Promise<string> => {
    const { text } = await get().expect(200);
    const row = new RegExp(`value="([^"]+)" aria-label="Tick ${network.replace(/[.]/g, '\\.')}"`);
    return row.exec(text)?.[1] ?? assert.fail(`no row ${network}`);
  };

  it('shows what the machine has while nothing was saved, and takes it over with the first addition', async () => {
    const { text } = await get().expect(200);
    assert.match(textOf(text), /127\.0\.0\.0\/8.*this machine/);
    await post({ network: '192.168.10.0/24', note: 'Office <b>' }).expect(303);
    assert.deepEqual(applied(), ['127.0.0.0/8', '::1', '192.168.10.0/24']);
    const again = await get().expect(200);
    assert.match(again.text, /Office &lt;b&gt;/);
    assert.match(textOf(again.text), /192\.168\.10\.0\/24.*private.*256 addresses/);
    assert.deepEqual(pages.host.log.errors(), []);
  });

  it('stores an IPv4-mapped form, a netmask and brackets as the network they mean', async () => {
    for (const network of ['::ffff:10.1.0.0/112', '10.2.0.0/255.255.0.0', '[fd12::]/48']) {
      await post({ network }).expect(303);
    }
    assert.deepEqual(applied().slice(2), ['10.1.0.0/16', '10.2.0.0/16', 'fd12::/48']);
  });

  it('never lets everybody in, nor half of the world, whatever is ticked', async () => {
    for (const network of ['0.0.0.0/0', '::/0', '::ffff:0:0/96', '128.0.0.0/1', '224.0.0.0/4']) {
      const answer = await post({ network, confirm: 'yes' });
      assert.equal(answer.status, 422, network);
      assert.equal(formFields(answer.text)['network'], network);
    }
    assert.deepEqual(pages.helper.applied, []);
  });

  it('refuses what is no network, and keeps what was typed', async () => {
    const wrong = [
      '',
      '300.1.2.3/40',
      'office',
      '192.168.1.0/33',
      '10.0.0.0/8, 0.0.0.0/0',
      ' 10.0.0.1',
      '$mynetworks',
      'hash:/etc/passwd',
    ];
    for (const network of wrong) {
      const answer = await post({ network, note: 'kept' });
      assert.equal(answer.status, 422, network);
      assert.equal(formFields(answer.text)['note'], 'kept');
    }
    await post({ network: '10.0.0.7', note: 'a\nb' }).expect(422);
    await post({ network: '10.0.0.7', note: 'x'.repeat(201) }).expect(422);
    assert.deepEqual(pages.helper.applied, []);
  });

  it('offers the right network where host bits are set', async () => {
    const answer = await post({ network: '192.168.10.7/24', note: 'Office' });
    assert.equal(answer.status, 422);
    assert.match(answer.text, /name="suggest" value="192\.168\.10\.0\/24"/);
    assert.match(answer.text, /name="suggest" value="192\.168\.10\.7"/);
    const taken = await post({
      network: '192.168.10.7/24',
      note: 'Office',
      suggest: '192.168.10.0/24',
    });
    const fields = formFields(taken.text);
    assert.deepEqual([fields['network'], fields['note']], ['192.168.10.0/24', 'Office']);
    assert.deepEqual(pages.helper.applied, []);
  });

  it('asks a second time for a public and for a very wide network', async () => {
    for (const network of ['198.51.100.0/24', '8.8.8.8', '10.0.0.0/8', '2600::/48']) {
      const asked = await post({ network });
      assert.equal(asked.status, 422, network);
      assert.match(textOf(asked.text), /Add it all the same\?/);
      assert.match(asked.text, /name="confirm"/);
      await post({ network, confirm: 'yes' }).expect(303);
      assert.equal(applied().at(-1), network);
    }
  });

  it('previews without writing, with the second yes kept', async () => {
    const answer = await post({ network: '8.8.8.8', confirm: 'yes', intent: 'preview' });
    assert.equal(answer.status, 200);
    assert.equal(formFields(answer.text)['confirm'], 'yes');
    assert.deepEqual(pages.helper.applied, []);
    assert.deepEqual(await pages.database.db('mail_relay_networks').select(), []);
  });

  it('adds no network twice, not even for two who add it at once', async () => {
    const answers = await Promise.all([1, 2, 3, 4].map(() => post({ network: '192.168.10.0/24' })));
    assert.equal(answers.filter(({ status }) => status === 303).length, 1);
    assert.equal(answers.filter(({ status }) => status === 422).length, 3);
    assert.equal(applied().filter((network) => network === '192.168.10.0/24').length, 1);
  });

  it('changes what is said about a network, and removes what was ticked after a look at it', async () => {
    await post({ network: '192.168.10.0/24' }).expect(303);
    await post({ network: '192.168.11.0/24' }).expect(303);
    const row = await keyOf('192.168.10.0/24');
    await post({ row, note: 'Printers' }, `${PATH}/edit`).expect(303);
    assert.match((await get()).text, /Printers/);
    const rows = [await keyOf('192.168.10.0/24'), await keyOf('192.168.11.0/24')];
    const asked = await get(`${PATH}/remove?${rows.map((key) => `row=${key}`).join('&')}`).expect(
      200,
    );
    assert.match(textOf(asked.text), /Remove 2 networks\?/);
    await post({ row: rows }, `${PATH}/remove`).expect(303);
    assert.deepEqual(applied(), ['127.0.0.0/8', '::1']);
  });

  it('keeps this machine itself', async () => {
    await post({ network: '192.168.10.0/24' }).expect(303);
    const { text } = await get();
    assert.doesNotMatch(text, /aria-label="Tick 127/);
    const { id, version } = (await pages.database
      .db('mail_relay_networks')
      .where({ network: '127.0.0.0/8' })
      .first()) as { id: string; version: number };
    const answer = await post({ row: `${id}.${version}` }, `${PATH}/remove`);
    assert.equal(answer.status, 422);
    assert.match(textOf(answer.text), /must stay able to send/);
    assert.ok(applied().includes('127.0.0.0/8'));
  });

  it('says when a row was changed or removed by somebody else', async () => {
    await post({ network: '192.168.10.0/24' }).expect(303);
    const row = await keyOf('192.168.10.0/24');
    await post({ row, note: 'first' }, `${PATH}/edit`).expect(303);
    await post({ row, note: 'second' }, `${PATH}/edit`).expect(409);
    await post({ row }, `${PATH}/remove`).expect(409);
    await post({ row: await keyOf('192.168.10.0/24') }, `${PATH}/remove`).expect(303);
    const gone = await post({ row }, `${PATH}/remove`);
    assert.equal(gone.headers['location'], `${PATH}?gone=1`);
    await get(`${PATH}?gone=1`).expect(200);
    await post({ row: '../1' }, `${PATH}/remove`).expect(303);
  });

  it('tells of what was set by hand, first of all when it lets everybody in', async () => {
    await post({ network: '192.168.10.0/24' }).expect(303);
    pages.helper.machine['relay'] = {
      settings: { networks: ['127.0.0.0/8', '::1', '192.168.10.0/24', '10.9.0.0/16'] },
      unclear: [{ parameter: 'mynetworks', value: '0.0.0.0/0', key: 'relay.unclear.everyone' }],
    };
    await pages.restart();
    const { text } = await get().expect(200);
    assert.match(textOf(text), /Strangers may send through this server/);
    assert.match(textOf(text), /10\.9\.0\.0\/16/);
    assert.match(text, /href="\/mail\/differences"/);
  });

  it('says of no empty list that nobody may send while everybody was let in by hand', async () => {
    const nobody = /Nobody may send without login/;
    pages.helper.machine['relay'] = { settings: { networks: [] }, unclear: [] };
    await pages.restart();
    assert.match(textOf((await get()).text), nobody);
    const unclear = [
      { parameter: 'mynetworks', value: '0.0.0.0/0', key: 'relay.unclear.everyone' },
    ];
    pages.helper.machine['relay'] = { settings: { networks: [] }, unclear };
    await pages.restart();
    const text = textOf((await get()).text);
    assert.match(text, /Strangers may send through this server/);
    assert.doesNotMatch(text, nobody);
  });

  it('shows the self-check as a sentence, with the dialogue folded', async () => {
    assert.match(textOf((await get()).text), /Not checked yet/);
    const answer = (outcome: string) => ({
      address: '203.0.113.9',
      sender: 'x@y.z',
      outcome,
      reply: '',
    });
    const dialogue = ['> RCPT TO:<x>', '250 <script>'];
    const outcomes = {
      closed: /Strangers are refused One stranger was turned away/,
      open: /this server is an open relay Mail was taken from 203\.0\.113\.9\. /,
      refused: /for another reason/,
    };
    for (const [outcome, words] of Object.entries(outcomes)) {
      pages.helper.answers['relay-check'] = () => ({
        outcome,
        asked: 'running',
        // One asks twice, and is one stranger all the same.
        answers: [answer(outcome), answer(outcome)],
        dialogue,
      });
      await post({}, `${PATH}/check`).expect(303);
      const { text } = await get();
      assert.match(textOf(text), words);
      assert.match(text, /250 &lt;script&gt;/);
    }
    await post({ network: '192.168.10.0/24' }).expect(303);
    assert.match(textOf((await get()).text), /Not checked yet/);
  });

  it('keeps what was typed when the helper is away or refuses', async () => {
    pages.helper.refusal = AWAY;
    const refused = await post({ network: '192.168.10.0/24', note: 'Office' });
    assert.equal(refused.status, 502);
    assert.equal(formFields(refused.text)['network'], '192.168.10.0/24');
    pages.helper.failure = AWAY;
    await post({}, `${PATH}/check`).expect(502);
    await get().expect(200);
  });

  it('lets readers look, operators check, and only administrators change', async () => {
    pages.helper.answers['relay-check'] = () => ({
      outcome: 'closed',
      asked: 'running',
      answers: [],
      dialogue: [],
    });
    const operator = 'mail.read,mail.operate';
    await get().set('x-roles', 'mail.read').expect(200);
    await post({ network: '10.0.0.7' }).set('x-roles', operator).expect(403);
    await post({}, `${PATH}/check`).set('x-roles', 'mail.read').expect(403);
    await post({}, `${PATH}/check`).set('x-roles', operator).expect(303);
    await get(`${PATH}/remove`).set('x-roles', operator).expect(403);
  });
});
