import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import express from 'express';
import request from 'supertest';
import { HEALTH_AGE_MS, healthPage } from '../../lib/console/web/health.js';
import { recordingLog } from '../support/dummy-host.js';
import { startTestConsole, type TestConsole } from '../support/test-console.js';

describe('what the console tells whatever watches it', () => {
  let test: TestConsole;
  before(async () => {
    test = await startTestConsole();
  });
  after(() => test.close());

  it('is one word, to anybody, without a session and without saying what is wrong', async () => {
    const answer = await request(test.console.app).get('/health');
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.body, { status: 'degraded' });
    assert.equal(answer.headers['cache-control'], 'no-store');
    assert.equal(answer.headers['set-cookie'], undefined);
  });

  it('is 503 when mail does not flow, or when nobody can tell', async () => {
    const log = recordingLog();
    const ask = (health: () => Promise<{ status: 'failing' | 'ok' }>) =>
      request(express().get('/', healthPage({ health, log }))).get('/');
    const failing = await ask(() => Promise.resolve({ status: 'failing' }));
    assert.deepEqual([failing.status, failing.body], [503, { status: 'failing' }]);
    const broken = await ask(() => Promise.reject(new Error('the database is away')));
    assert.deepEqual([broken.status, broken.text], [503, '{"status":"failing"}']);
    assert.equal(log.errors().length, 1);
  });

  it('looks once in a while, however often it is asked', async () => {
    let looks = 0;
    let now = 0;
    const page = healthPage({
      health: () => {
        looks += 1;
        return Promise.resolve({ status: 'ok' });
      },
      log: recordingLog(),
      now: () => now,
    });
    const app = express().get('/', page);
    await Promise.all([request(app).get('/'), request(app).get('/'), request(app).get('/')]);
    assert.equal(looks, 1);
    now += HEALTH_AGE_MS + 1;
    await request(app).get('/');
    assert.equal(looks, 2);
  });
});
