import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  mergeList,
  ownElements,
  splitList,
  type ListLayout,
} from '../../lib/privileged/postfix/list-value.js';

const END: ListLayout = { place: 'end' };
const START: ListLayout = { place: 'start' };
const DOMAINS: ListLayout = { place: 'end', foldsCase: true };

const layout = fc.constantFrom(END, START, DOMAINS);
/** Few names, so that the lists of one case meet in many ways. */
const element = fc.constantFrom('a', 'b', 'c', 'D', 'd', '$x', 'lmdb:{y, z}', 'A');
const anyList = fc.array(element, { maxLength: 6 });
const ownList = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 5 });

function fold(elements: readonly string[], { foldsCase = false }: ListLayout): string[] {
  return elements.map((one) => (foldsCase ? one.toLowerCase() : one));
}

describe('a list value', () => {
  it('is divided at commas and blanks, not within braces', () => {
    const value = ' a,b\t c\n d,,{ e, f }, lmdb:{ {g h}, i}j ,k';
    assert.deepEqual(splitList(value), ['a', 'b', 'c', 'd', '{ e, f }', 'lmdb:{ {g h}, i}j', 'k']);
  });

  it('survives a stray brace without losing what follows', () => {
    assert.deepEqual(splitList('a } b, c'), ['a', '}', 'b', 'c']);
    assert.deepEqual(splitList(''), []);
  });
});

describe('merging our elements into a list', () => {
  it('puts new ones after our last, and the first ones at the place of the list', () => {
    assert.deepEqual(mergeList(['x', 'a', 'y'], ['a'], ['a', 'b'], END).elements, [
      ...['x', 'a', 'b', 'y'],
    ]);
    assert.deepEqual(mergeList(['x', 'y'], [], ['a'], END).elements, ['x', 'y', 'a']);
    assert.deepEqual(mergeList(['x', 'y'], [], ['a'], START).elements, ['a', 'x', 'y']);
  });

  it('restores our order where somebody changed it', () => {
    assert.deepEqual(mergeList(['b', 'x', 'a'], ['a', 'b'], ['a', 'b'], START).elements, [
      ...['a', 'b', 'x'],
    ]);
  });

  it('leaves ours where they are when their order says nothing', () => {
    const layout: ListLayout = { ...DOMAINS, unordered: true };
    const present = ['$myhostname', 'vm', 'local.example', 'localhost'];
    const same = mergeList(present, [], ['local.example', 'vm'], layout);
    assert.deepEqual(same, { elements: present, changed: false });
    const more = mergeList(present, ['vm', 'local.example'], ['a.example', 'vm'], layout);
    assert.deepEqual(more.elements, ['$myhostname', 'vm', 'a.example', 'localhost']);
  });

  it('takes domain names in any case for the same, and leaves them as they are written', () => {
    const merged = mergeList(['Example.ORG', 'localhost'], [], ['example.org'], DOMAINS);
    assert.deepEqual(merged, { elements: ['Example.ORG', 'localhost'], changed: false });
    assert.deepEqual(ownElements(merged.elements, ['example.org'], DOMAINS), ['Example.ORG']);
  });

  it('removes what we wrote before, in any case the domain has now', () => {
    const merged = mergeList(['x', 'Old.Example'], ['old.example'], [], DOMAINS);
    assert.deepEqual(merged.elements, ['x']);
  });

  it('leaves foreign elements in their order and number', () => {
    fc.assert(
      fc.property(anyList, ownList, ownList, layout, (current, before, now, how) => {
        const ours = new Set(fold([...before, ...now], how));
        const foreign = (list: readonly string[]) =>
          list.filter((one) => !ours.has(fold([one], how)[0] ?? ''));
        assert.deepEqual(foreign(mergeList(current, before, now, how).elements), foreign(current));
      }),
    );
  });

  it('holds each of ours exactly once, in our order, and nothing of ours from before', () => {
    fc.assert(
      fc.property(anyList, ownList, ownList, layout, (current, before, now, how) => {
        const merged = fold(mergeList(current, before, now, how).elements, how);
        const wanted = fold(now, how);
        assert.deepEqual(
          merged.filter((one) => wanted.includes(one)),
          wanted,
        );
        for (const one of fold(before, how)) {
          if (!wanted.includes(one)) assert.ok(!merged.includes(one));
        }
      }),
    );
  });

  it('does nothing the second time', () => {
    fc.assert(
      fc.property(anyList, ownList, ownList, layout, (current, before, now, how) => {
        const once = mergeList(current, before, now, how).elements;
        assert.deepEqual(mergeList(once, now, now, how), { elements: once, changed: false });
      }),
    );
  });

  it('leads back: what is taken away again leaves the list as it was', () => {
    fc.assert(
      fc.property(anyList, ownList, layout, (current, now, how) => {
        const wanted = fold(now, how);
        const foreign = current.filter((one) => !wanted.includes(fold([one], how)[0] ?? ''));
        const there = mergeList(foreign, [], now, how).elements;
        assert.deepEqual(mergeList(there, now, [], how).elements, foreign);
      }),
    );
  });
});
