import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import express, { type ErrorRequestHandler } from 'express';
import request from 'supertest';
import { formBody, MAX_FORM_BYTES, MAX_FORM_FIELDS, parseForm } from '../../lib/web/form-body.js';

const FORM = 'application/x-www-form-urlencoded';

const app = express();
app.post('/', formBody(), (req, res) => {
  res.json(req.body ?? 'none');
});
const tell: ErrorRequestHandler = (error: { status: number }, _req, res, next) => {
  void next;
  res.sendStatus(error.status);
};
app.use(tell);

describe('a form body', () => {
  it('becomes strings, and arrays for repeated names', () => {
    assert.deepEqual(
      { ...parseForm('a=1&b=%C3%BC+x&a=2&c&=d&__proto__=p') },
      {
        a: ['1', '2'],
        b: 'ü x',
        c: '',
        '': 'd',
        ['__proto__']: 'p',
      },
    );
  });

  it('never nests and never touches a prototype', () => {
    const body = parseForm('a[b]=1&constructor=x');
    assert.equal(body['a[b]'], '1');
    assert.equal(body['constructor'], 'x');
    assert.equal(Reflect.get(body, 'toString'), undefined);
  });

  it('marks what is no UTF-8, sent raw or escaped', () => {
    assert.equal(parseForm('a=%FF%FE')['a'], '\ufffd\ufffd');
    assert.equal(parseForm(Buffer.from([0x61, 0x3d, 0xff]).toString('latin1'))['a'], '\ufffd');
    assert.equal(parseForm(Buffer.from('a=ü').toString('latin1'))['a'], 'ü');
  });

  it('keeps a value of a megabyte, for the field to refuse', async () => {
    const answer = await request(app)
      .post('/')
      .type(FORM)
      .send(`a=${'x'.repeat(1_000_000)}`);
    assert.equal((answer.body as { a: string }).a.length, 1_000_000);
  });

  it('is refused when it is larger, has too many fields or is another type', async () => {
    const large = await request(app)
      .post('/')
      .type(FORM)
      .send(`a=${'x'.repeat(MAX_FORM_BYTES)}`);
    assert.equal(large.status, 413);
    const many = await request(app)
      .post('/')
      .type(FORM)
      .send('a&'.repeat(MAX_FORM_FIELDS + 1));
    assert.equal(many.status, 413);
    const json = await request(app).post('/').send({ a: 1 });
    assert.equal(json.status, 415);
  });

  it('may be missing', async () => {
    const answer = await request(app).post('/');
    assert.equal(answer.body, 'none');
  });
});
