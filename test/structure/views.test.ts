import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sourceFiles } from '../support/sources.js';

const views = sourceFiles(['views', 'lib/console/views'], ['.njk']);
const code = sourceFiles(['lib', 'routes'], ['.ts']);

/** A view with what Nunjucks fills in replaced by a word, so that only the markup is left. */
const markup = views.map(({ path, text }) => ({
  path,
  text: text
    .replace(/\{#[\s\S]*?#\}/g, '')
    .replace(/\{%[\s\S]*?%\}/g, '')
    .replace(/\{\{[\s\S]*?\}\}/g, 'X'),
}));

/** Opening tags with their attributes. */
const tags = markup.flatMap(({ path, text }) =>
  [...text.matchAll(/<[a-z][^<>]*>/g)].map(([tag]) => ({ path, tag })),
);

const none = (found: readonly { path: string; tag: string }[]): void =>
  assert.deepEqual(found, [], 'these tags break the rule');

describe('views', () => {
  it('have no script or style of their own', () => {
    assert.ok(tags.length > 300, 'the test finds the tags at all');
    none(tags.filter(({ tag }) => /^<style/.test(tag)));
    none(tags.filter(({ tag }) => /^<script(?![^>]*\ssrc=)/.test(tag)));
    none(tags.filter(({ tag }) => /\sstyle\s*=/.test(tag)));
    none(tags.filter(({ tag }) => /\son[a-z]+\s*=/i.test(tag)));
    none(tags.filter(({ tag }) => /\shx-on|\shx-vals="js:|\[[^\]]*\]"/.test(tag)));
    none(tags.filter(({ tag }) => /javascript:/i.test(tag)));
  });

  it('quote every attribute', () => {
    none(
      tags.filter(({ tag }) =>
        /\s[a-z-]+=(?!["'])/.test(tag.replace(/"[^"]*"|'[^']*'/g, (value) => `"${value.length}"`)),
      ),
    );
  });

  it('never switch escaping off', () => {
    for (const { path, text } of views) {
      assert.doesNotMatch(text, /\|\s*safe|autoescape|\|\s*dump/, path);
    }
  });

  it('send forms somewhere, by a method that is named', () => {
    none(tags.filter(({ tag }) => tag.startsWith('<form') && !/\smethod="(get|post)"/.test(tag)));
    none(tags.filter(({ tag }) => tag.startsWith('<form') && !/\saction="/.test(tag)));
  });

  it('carry the token in every form that changes something', () => {
    for (const { path, text } of views) {
      for (const [form] of text.matchAll(/<form method="post"[\s\S]*?<\/form>/g)) {
        assert.match(form, /name="_csrf"|\{\{ hidden\(|\{\{ token\(|csrf/, path);
      }
    }
  });

  it('say of htmx only what works without it', () => {
    for (const { path, text } of markup) {
      for (const [tag] of text.matchAll(/<form[^>]*hx-post="[^"]*"[^>]*>/g)) {
        const [, action] = /\saction="([^"]*)"/.exec(tag) ?? [];
        const [, target] = /\shx-post="([^"]*)"/.exec(tag) ?? [];
        assert.equal(target, action, path);
      }
    }
  });

  it('use only icons that the sprite has, and the sprite has only icons that are used', () => {
    const own = views.filter(({ path }) => path.startsWith('views/'));
    const sprite = own.find(({ path }) => path === 'views/_kit/_sprite.njk')?.text ?? '';
    const drawn = [...sprite.matchAll(/name == "(\w+)"/g)].map(([, name = '']) => name);
    const everything = [...own, ...code].map(({ text }) => text).join('\n');
    const asked = [...everything.matchAll(/\bicon\('(\w+)'\)|icons\.use\('(\w+)'\)/g)].map(
      ([, name, other]) => name ?? other ?? '',
    );
    for (const name of asked) assert.ok(drawn.includes(name), `no icon ${name}`);
    for (const name of drawn) {
      const used = asked.includes(name) || new RegExp(`'${name}'`).test(everything);
      assert.ok(used, `nobody uses the icon ${name}`);
    }
  });

  it('are all shown by somebody', () => {
    const own = views.filter(({ path }) => path.startsWith('views/'));
    const everything = [...own, ...code].map(({ text }) => text).join('\n');
    for (const { path } of own) {
      const name = path.replace(/^views\/|\.njk$/g, '');
      const [folder = '', file = ''] = name.split('/');
      const named =
        everything.includes(name) ||
        (everything.includes(`\`${folder}/\${view}\``) && everything.includes(`'${file}'`));
      assert.ok(named, path);
    }
  });
});

describe('styles', () => {
  const PHYSICAL =
    /(?:margin|padding|border)-(?:left|right)|(?:^|[\s;{])(?:left|right)\s*:|(?:text-align|float|clear)\s*:\s*(?:left|right)|border-(?:top|bottom)-(?:left|right)-radius/;

  it('name sides by the direction of writing, so that a language may run the other way', () => {
    for (const { path, text } of sourceFiles(['public', 'lib/console/public'], ['.css'])) {
      assert.deepEqual(
        text.split('\n').filter((line) => PHYSICAL.test(line)),
        [],
        path,
      );
    }
  });
});
