import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { listenersPastScanners } from '../../lib/privileged/scanning/bypass.js';

describe('a listener whose own options go past the scanners', () => {
  const pastWith = (options: string, proxy = '', name = 'smtp'): readonly string[] =>
    listenersPastScanners({
      master: [{ name: `${name}/inet`, line: `${name} inet n - y - - smtpd${options}` }],
      parameter: (parameter) => (parameter === 'smtpd_proxy_filter' ? proxy : ''),
      port: () => 10_026,
    });

  it('is named', () => {
    assert.deepEqual(pastWith(' -o content_filter='), ['smtp/inet']);
    assert.deepEqual(pastWith(' -o content_filter=dspam:dspam'), ['smtp/inet']);
    assert.deepEqual(pastWith(' -o content_filter= -o smtpd_proxy_filter=', '127.0.0.1:10026'), [
      'smtp/inet',
    ]);
  });

  it('is none as long as it says nothing, says the same, or is asked before', () => {
    assert.deepEqual(pastWith(''), []);
    assert.deepEqual(pastWith(' -o content_filter=mailserver-scan:[127.0.0.1]:10024'), []);
    assert.deepEqual(pastWith(' -o content_filter=', '127.0.0.1:10026'), []);
  });

  it('is none by which mail comes back from a filter', () => {
    assert.deepEqual(pastWith(' -o content_filter=', '', '127.0.0.1:10025'), []);
  });
});
