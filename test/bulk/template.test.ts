import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { htmlTemplate, plainTemplate, unknownPlaceholders } from '../../lib/bulk/template.js';

const anna = {
  name: 'Anna <b>B</b> & "C" **x** https://evil.example',
  login: 'anna',
  address: 'anna@example.com',
};

describe('the text of a mailing', () => {
  it('has its placeholders filled in, each as it is', () => {
    assert.equal(
      plainTemplate('{name}/{login}/{address}/{other}/{Name}')({ ...anna, name: '{login}' }),
      '{login}/anna/anna@example.com/{other}/{Name}',
    );
  });

  it('says which names in braces are none', () => {
    assert.deepEqual(unknownPlaceholders('{name} {nmae} {x y} {vorname} {nmae}'), [
      'nmae',
      'vorname',
    ]);
  });

  it('becomes paragraphs, headings, lists, bold, italic and links', () => {
    const html = htmlTemplate(
      '# Hi\none **two**\n*three*\n\n- a\n- b https://x.example/p?q=1&r=2.\nend',
      'T',
    )(anna);
    assert.match(html, /<h2>Hi<\/h2>\n<p>one <strong>two<\/strong><br>\n<em>three<\/em><\/p>/);
    assert.match(
      html,
      /<ul><li>a<\/li><li>b <a href="https:\/\/x\.example\/p\?q=1&amp;r=2">https:\/\/x\.example\/p\?q=1&amp;r=2<\/a>\.<\/li><\/ul>\n<p>end<\/p>/,
    );
  });

  it('never becomes markup, typed or filled in', () => {
    const html = htmlTemplate(
      '<script>x</script> javascript:x {name} <img src=x> https://x.example/"><b>',
      '"><i>',
    )(anna);
    const body = html.slice(html.indexOf('<body>'));
    assert.deepEqual([...new Set([...body.matchAll(/<\/?(\w+)/g)].map(([, tag]) => tag))].sort(), [
      'a',
      'body',
      'html',
      'p',
    ]);
    assert.equal([...body.matchAll(/<a /g)].length, 1);
    assert.match(body, /Anna &lt;b&gt;B&lt;\/b&gt; &amp; &quot;C&quot; \*\*x\*\* https:\/\/evil/);
    assert.match(html, /<title>&quot;&gt;&lt;i&gt;<\/title>/);
  });
});
