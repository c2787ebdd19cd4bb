import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import knex from 'knex';
import request from 'supertest';
import { createDummyHost } from '../support/dummy-host.js';

const db = knex({ client: 'pg' });

describe('a page', () => {
  it('stands in the layout of the host', async () => {
    const { app, log } = createDummyHost({ db });
    const answer = await request(app).get('/mail').expect(200);
    assert.match(answer.text, /<main id="main" data-current="overview">\s*<div class="mailserver"/);
    assert.match(answer.text, /<title>Mailserver – Acme Server<\/title>/);
    assert.match(answer.headers['vary'] ?? '', /HX-Request/);
    assert.deepEqual(log.errors(), []);
  });

  it('comes alone for htmx', async () => {
    const { app } = createDummyHost({ db });
    const answer = await request(app).get('/mail').set('HX-Request', 'true').expect(200);
    assert.doesNotMatch(answer.text, /<html/);
    assert.match(
      answer.text,
      /^<title>Mailserver<\/title>\s*<div class="mailserver" id="mail-page">/,
    );
  });
});
