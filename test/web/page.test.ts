import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import express from 'express';
import nunjucks from 'nunjucks';
import request from 'supertest';
import type { Host } from '../../lib/contract.js';
import { createPlugin } from '../../lib/plugin.js';
import { recordingLog } from '../support/dummy-host.js';
import { formFields, textOf } from '../support/forms.js';
import { pluginPages } from '../support/plugin-pages.js';
import { openMemoryDatabase } from '../support/memory-database.js';
import { recordingHelper } from '../support/recording-helper.js';
import { until } from '../support/wait.js';

describe('a page', () => {
  const pages = pluginPages({ tables: [] });

  it('stands in the layout of the host', async () => {
    const answer = await pages.get('/mail').expect(200);
    assert.match(answer.text, /<main id="main" data-current="overview">\s*<div class="mailserver"/);
    assert.match(answer.text, /<title>Mailserver – Acme Server<\/title>/);
    assert.match(answer.headers['vary'] ?? '', /HX-Request/);
    assert.deepEqual(pages.host.log.errors(), []);
  });

  it('comes alone for htmx', async () => {
    const answer = await pages.get('/mail').set('HX-Request', 'true').expect(200);
    assert.doesNotMatch(answer.text, /<html/);
    assert.match(answer.text, /^<title>Mailserver<\/title>\s*<div class="mailserver"/);
  });

  it('is not to be had by people without the role', async () => {
    const answer = await pages.get('/mail/configuration/base').set('x-roles', 'none');
    assert.equal(answer.status, 403);
    const reader = request(pages.host.app)
      .post('/mail/configuration/base')
      .set('x-roles', 'mail.read');
    assert.equal((await reader.type('form').send({ _csrf: 'x' })).status, 403);
  });

  it('has a helper made ready for whoever may save', async () => {
    const base = '/mail/configuration/base';
    let expected: string[] = [];
    Object.assign(pages.helper, { expect: (action: string) => expected.push(action) });
    const wrong = { ...(await pages.fields(base)), mailServerName: 'no name' };
    for (const page of [pages.get(base).expect(200), pages.post(base, wrong).expect(422)]) {
      expected = [];
      await page;
      await until('the word that somebody may save', () => expected[0] === 'apply');
    }
    expected = [];
    await pages.get(base).set('x-roles', 'mail.read,mail.operate').expect(200);
    assert.deepEqual(expected, []);
  });

  it('says in words that an address leads nowhere, or that a form is too much', async () => {
    const missing = await pages.get('/mail/nowhere').set('x-language', 'de');
    assert.equal(missing.status, 404);
    assert.match(textOf(missing.text), /Hier ist nichts/);
    assert.deepEqual(pages.host.log.errors(), []);
  });

  it('tells nothing internal when the fault is ours, and everything to the log', async () => {
    await pages.database.db.schema.renameTable('mail_settings', 'hidden');
    try {
      const answer = await pages.get('/mail/configuration/base');
      assert.equal(answer.status, 500);
      assert.doesNotMatch(answer.text, /mail_settings|select/);
      assert.match(textOf(answer.text), /tell help@acme\.example the number [\w-]+/);
      assert.equal(pages.host.log.errors().length, 1);
    } finally {
      await pages.database.db.schema.renameTable('hidden', 'mail_settings');
    }
  });
});

describe('another console', () => {
  it('mounts the plugin elsewhere, with its own layout and brand, in ten lines', async () => {
    const database = await openMemoryDatabase();
    const views = new nunjucks.Environment(null, { autoescape: true });
    const layout =
      '<html lang="en"><title>{% block title %}{% endblock %}</title>{% block head %}{% endblock %}<body class="zen">{% block content %}{% endblock %}</body></html>';
    Object.assign(views, {
      loaders: [
        {
          cache: {},
          getSource: (name: string) =>
            name === 'zen' ? { src: layout, path: name, noCache: false } : null,
        },
      ],
    });
    const host: Host = {
      db: database.db,
      log: recordingLog(),
      views,
      layout: 'zen',
      helper: recordingHelper(),
      brand: { product: 'Zen Box', vendor: 'Zen', support: 'https://zen.example' },
      directory: {
        kind: 'table',
        users: () => Promise.resolve([]),
        groups: () => Promise.resolve([]),
        onChange: () => () => undefined,
      },
      requireRole: () => (_req, _res, next) => next(),
      user: () => ({ id: '7', login: 'root', name: '', email: null, roles: ['mail.admin'] }),
      language: () => 'tlh',
      csrf: () => 'token',
      layoutContext: () => ({}),
      proxy: () => Promise.resolve(null),
      certificates: () => Promise.resolve([]),
    };
    const plugin = createPlugin(host);
    const app = express().use('/admin/mail', plugin.router);
    await plugin.start();
    try {
      const page = await request(app).get('/admin/mail/configuration/base').expect(200);
      assert.match(page.text, /<body class="zen">/);
      assert.match(textOf(page.text), /Every user of Zen Box has a mailbox/);
      assert.doesNotMatch(page.text, /(?:href|action|src|hx-[a-z]+)="\/(?!admin\/mail)/);
      const [, style = ''] = /href="([^"]*mailserver\.css[^"]*)"/.exec(page.text) ?? [];
      await request(app)
        .get(style)
        .expect(200)
        .expect('Content-Type', /text\/css/);
      const fields = { ...formFields(page.text), mailServerName: 'zen.example.org' };
      const saved = await request(app)
        .post('/admin/mail/configuration/base')
        .type('form')
        .send({ ...fields, intent: 'save' });
      assert.equal(saved.status, 303);
      assert.match(saved.headers['location'] ?? '', /^\/admin\/mail\/configuration\/base\?saved=/);
      assert.match(
        textOf((await request(app).get(saved.headers['location'] ?? '')).text),
        /zen\.example\.org/,
      );
    } finally {
      await plugin.close();
      await database.close();
    }
  });

  it('is refused when its templates do not escape', () => {
    const views = new nunjucks.Environment(null, { autoescape: false });
    assert.throws(
      () =>
        createPlugin({ views, log: recordingLog(), brand: { product: 'x' } } as unknown as Host),
      /autoescape/,
    );
  });
});
