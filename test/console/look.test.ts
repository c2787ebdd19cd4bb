import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { PACKAGE_ROOT } from '../../lib/package-root.js';

const read = (path: string) => readFileSync(join(PACKAGE_ROOT, path), 'utf8');
const plugin = read('public/mailserver.css');
const frame = read('lib/console/public/console.css');
const withoutComments = (css: string) => css.replace(/\/\*.*?\*\//gs, '');

/** What the wire carries of the plugin's style sheet, at most. Bytes. */
const MAX_COMPRESSED_BYTES = 6 * 1024;

describe('the two style sheets', () => {
  it('have the same tokens', () => {
    const tokens = (css: string) => {
      const block = /\/\* tokens:.*?\*\/(.*?)\/\* end of tokens \*\//s.exec(css)?.[1];
      assert.ok(block, 'the block of tokens is marked');
      return block.trim();
    };
    const accent = (css: string) => /oklch\(from var\(--brand.*?\);/s.exec(css)?.[0];
    assert.equal(tokens(frame), tokens(plugin));
    assert.notEqual(accent(frame), undefined);
    assert.equal(accent(frame), accent(plugin));
  });

  it('write in both directions: nothing says left or right', () => {
    for (const css of [plugin, frame]) {
      const physical =
        /(?:^|[\s;{])(?:(?:margin|padding|border)-)?(?:left|right)\s*:|text-align:\s*(?:left|right)/m;
      assert.doesNotMatch(withoutComments(css), physical);
    }
  });
});

describe('the plugin’s style sheet', () => {
  it('touches nothing outside .mailserver', () => {
    for (const selector of selectorsOf(withoutComments(plugin))) {
      assert.match(selector, /^(?::root\[data-theme='(?:light|dark)'\] )?\.mailserver(?![\w-])/);
    }
  });

  it('names its animations so that they meet no others', () => {
    for (const [, name] of plugin.matchAll(/@keyframes\s+([\w-]+)/g)) {
      assert.match(name ?? '', /^mailserver-/);
    }
  });

  it('leaves the colour scheme to its host, and asks it only for a colour', () => {
    const own = withoutComments(plugin).replace(/:root\[data-theme[^}]*}|@media print.*/gs, '');
    assert.doesNotMatch(own, /color-scheme/);
    assert.doesNotMatch(plugin, /--brand\s*:/);
    for (const [, rest] of plugin.matchAll(/var\(--brand(.)/g)) {
      assert.equal(rest, ',', 'there is a colour for hosts without one');
    }
  });

  it('spaces the parts of a page, and indents nothing but lists', () => {
    const rule =
      /^ {2}> \* \+ \*,\n {2}\.stack > \* \+ \*,\n {2}\.panel > \* \+ \* \{\n(.*?)\n {2}}/ms.exec(
        plugin,
      );
    assert.equal(rule?.[1]?.trim(), 'margin-block-start: var(--s4);');
  });

  it('hides fields by a choice of that name, not by whatever else has its value', () => {
    const hiding = plugin.split('\n').filter((line) => line.includes('.only-'));
    assert.ok(hiding.length > 5);
    for (const line of hiding) assert.match(line, /form:has\(\[name='\w+'\].*\) \.only-/);
  });

  it('is small on the wire', () => {
    assert.ok(gzipSync(plugin, { level: 9 }).length < MAX_COMPRESSED_BYTES);
  });
});

/** Every selector at the top of a style sheet or of an at-rule; not what is nested in a rule. */
function selectorsOf(css: string): string[] {
  const found: string[] = [];
  let start = 0;
  let depth = 0;
  let inRule = 0;
  for (let at = 0; at < css.length; at += 1) {
    const character = css[at];
    if (character === '{') {
      const head = css.slice(start, at).trim();
      if (inRule === 0 && /^@keyframes/.test(head)) inRule = depth + 1;
      else if (inRule === 0 && !head.startsWith('@')) {
        found.push(...head.split(/,(?![^(]*\))/).map((selector) => selector.trim()));
        inRule = depth + 1;
      }
      depth += 1;
      start = at + 1;
    } else if (character === '}') {
      if (depth === inRule) inRule = 0;
      depth -= 1;
      start = at + 1;
    } else if (character === ';') {
      start = at + 1;
    }
  }
  assert.ok(found.length > 5);
  return found;
}
