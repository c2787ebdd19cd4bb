import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Host } from '../../lib/contract.js';
import { createPlugin } from '../../lib/plugin.js';
import {
  fieldIn,
  startTestConsole,
  type Browser,
  type TestConsole,
} from '../support/test-console.js';

describe('the network page', () => {
  let test: TestConsole;
  let anna: Browser;
  let host: Host | undefined;

  before(async () => {
    test = await startTestConsole({
      createPlugin(given) {
        host = given;
        return createPlugin(given);
      },
    });
    await test.account('anna');
    anna = test.browser();
    await anna.signIn('anna');
  });
  after(() => test.close());

  const save = async (proxy: string) => {
    const version = fieldIn((await anna.get('/network')).text, 'version');
    return anna.submit('/network', '/network', { proxy, version });
  };

  it('gives the plugin its proxy, and none again', async () => {
    assert.equal(await host?.proxy(), null);
    assert.equal((await save(' http://Proxy.example.com:3128/ ')).status, 303);
    assert.equal(await host?.proxy(), 'http://proxy.example.com:3128');
    assert.match((await anna.get('/network')).text, /role="status"/);
    assert.equal((await save('http://[2001:db8::1]:3128')).status, 303);
    assert.equal(await host?.proxy(), 'http://[2001:db8::1]:3128');
    assert.equal((await save('')).status, 303);
    assert.equal(await host?.proxy(), null);
  });

  it('refuses what is no proxy, and shows it again', async () => {
    for (const proxy of [
      'proxy.example.com:3128',
      'ftp://proxy.example.com',
      'http://user:password@proxy.example.com',
      'http://proxy.example.com/path',
      'http://proxy.example.com\nHTTPProxyServer evil',
      'http://',
      'http://proxy.example.com:99999',
      'http://"><script>.example',
      'javascript:alert(1)',
    ]) {
      const answer = await save(proxy);
      assert.equal(answer.status, 422, proxy);
      assert.match(answer.text, /<a href="#proxy">/);
      assert.doesNotMatch(answer.text, /"><script>/);
    }
    assert.equal(await host?.proxy(), null);
  });

  it('answers 409 when somebody else was faster, with what was typed', async () => {
    const version = fieldIn((await anna.get('/network')).text, 'version');
    const first = { proxy: 'http://first.example:1', version };
    assert.equal((await anna.submit('/network', '/network', first)).status, 303);
    const second = { proxy: 'http://second.example:2', version };
    const answer = await anna.submit('/network', '/network', second);
    assert.equal(answer.status, 409);
    assert.match(answer.text, /second\.example/);
    assert.equal(await host?.proxy(), 'http://first.example:1');
  });
});
