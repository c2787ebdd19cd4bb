import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LaunchError, parseArguments } from '../../lib/launch/arguments.js';

describe('the command line of npm start', () => {
  it('means this machine without arguments', () => {
    assert.deepEqual(parseArguments([], '/home/me'), { lab: null, listen: null });
  });

  it('takes the folder of a lab from where the person stands, and any free port', () => {
    assert.deepEqual(parseArguments(['--lab', 'try/one'], '/home/me'), {
      lab: '/home/me/try/one',
      listen: null,
    });
  });

  it('keeps the console on loopback when only a port is given', () => {
    assert.equal(parseArguments(['--port', '8080'], '/').listen, '127.0.0.1:8080');
    assert.equal(parseArguments(['--lab', 'x', '--port=9000'], '/').listen, '127.0.0.1:9000');
  });

  for (const listen of [
    '0.0.0.0:80',
    '[::1]:8025',
    'appliance.example:8443',
    'unix:/run/console.sock',
  ]) {
    it(`listens on ${listen}`, () => {
      assert.equal(parseArguments(['--listen', listen], '/').listen, listen);
    });
  }

  for (const given of [
    ['--lab'],
    ['--lab='],
    ['--prot', '1'],
    ['--port', '65536'],
    ['--port', 'http'],
    ['--port', '-1'],
    ['--listen', '0.0.0.0'],
    ['--listen', 'a b:80'],
    ['--listen', 'unix:relative'],
    ['--listen', '127.0.0.1:80', '--port', '81'],
    ['lab'],
  ]) {
    it(`does not understand ${given.join(' ')}`, () => {
      assert.throws(() => parseArguments(given, '/'), LaunchError);
    });
  }
});
