import assert from 'node:assert/strict';
import { connect as connectTls } from 'node:tls';
import { once } from 'node:events';
import { after, describe, it } from 'node:test';
import nodemailer from 'nodemailer';
import { makeAuthority, makeCertificate } from './certificate.js';
import { SmtpClient, sendMail } from './smtp-client.js';
import { startSmtpSink, type SinkOptions, type SmtpSink } from './smtp-sink.js';

const sinks: SmtpSink[] = [];
async function start(options: SinkOptions = {}): Promise<SmtpSink> {
  const sink = await startSmtpSink(options);
  sinks.push(sink);
  return sink;
}
after(() => Promise.all(sinks.map((sink) => sink.stop())));

describe('the receiving server of the tests', () => {
  it('keeps name, envelope and message', async () => {
    const sink = await start();
    const raw = 'Subject: dots\r\n\r\n.one\r\n..two\r\n';
    await sendMail(sink.port, {
      helo: 'me.example',
      from: 'a@x.example',
      to: ['b@y.example', 'c@z.example'],
      raw,
    });
    const [message] = sink.messages;
    assert.equal(message?.helo, 'me.example');
    assert.equal(message?.greeting, 'EHLO');
    assert.equal(message?.from, 'a@x.example');
    assert.deepEqual(message?.to, ['b@y.example', 'c@z.example']);
    assert.equal(message?.raw, raw);
    assert.equal(message?.tls, false);
  });

  it('refuses one recipient and takes the other', async () => {
    const sink = await start({
      refuse: (stage, value) =>
        stage === 'recipient' && value.startsWith('no') ? { code: 451, text: '4.7.1 later' } : null,
    });
    const { recipients, data } = await sendMail(sink.port, {
      from: 'a@x.example',
      to: ['no@y.example', 'yes@y.example'],
    });
    assert.deepEqual(
      recipients.map(({ code }) => code),
      [451, 250],
    );
    assert.equal(data?.code, 250);
    assert.deepEqual(sink.messages[0]?.to, ['yes@y.example']);
  });

  it('breaks off when told so, also later on', async () => {
    const sink = await start();
    const [client] = await SmtpClient.open(sink.port);
    assert.equal((await client.command('EHLO a.example')).code, 250);
    sink.change({ breakOff: (stage) => stage === 'from' });
    await assert.rejects(client.command('MAIL FROM:<a@x.example>'), /closed the connection/);
    client.close();
  });

  it('takes mail over STARTTLS with the right password only', async () => {
    const authority = makeAuthority('Test Authority');
    const tls = makeCertificate({ names: ['sink.example'], issuer: authority });
    const sink = await start({ tls, login: { user: 'me', password: 'right' } });
    const send = (pass: string) =>
      nodemailer
        .createTransport({
          host: '127.0.0.1',
          port: sink.port,
          requireTLS: true,
          auth: { user: 'me', pass },
          tls: { ca: authority.cert, servername: 'sink.example' },
        })
        .sendMail({ from: 'a@x.example', to: 'b@y.example', subject: 'secret', text: '-' });
    await assert.rejects(send('wrong'), /535/);
    await send('right');
    const message = await sink.waitFor('Subject: secret');
    assert.equal(message.user, 'me');
    assert.equal(message.tls, true);
    assert.match(message.tlsVersion ?? '', /^TLSv1\.[23]$/);
    assert.deepEqual(
      sink.logins.map(({ ok }) => ok),
      [false, true],
    );
  });

  it('speaks TLS from the first byte when told so', async () => {
    const tls = makeCertificate({ names: ['sink.example'] });
    const sink = await start({ tls, implicitTls: true });
    const socket = connectTls({
      port: sink.port,
      host: '127.0.0.1',
      ca: tls.cert,
      servername: 'sink.example',
    });
    const [greeting] = (await once(socket, 'data')) as [Buffer];
    assert.match(greeting.toString(), /^220 /);
    assert.equal(socket.authorized, true);
    socket.destroy();
  });
});
