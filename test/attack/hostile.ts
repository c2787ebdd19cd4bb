/** What a taken-over web process would try. */

/** Texts that run something, add a line, break out of a value, or name a file, where somebody is careless. */
export function hostileTexts(canary: string): readonly string[] {
  const run = `touch ${canary}`;
  return [
    `$(${run})`,
    `\`${run}\``,
    `; ${run} ;`,
    `| ${run}`,
    `|${run}`,
    `&& ${run}`,
    `'; ${run}; '`,
    `"; ${run}; "`,
    `a.example\n${run}`,
    `a.example\nmynetworks = 0.0.0.0/0`,
    `a.example\r\nRCPT TO:<x@y>`,
    'a.example\0.evil.example',
    'a.example\u0085mynetworks=0.0.0.0/0',
    'a.example\u2028mynetworks=0.0.0.0/0',
    'a.example\u2029',
    'a.example\u000b',
    'a.example\u001b[2J',
    ' a.example',
    'a.example ',
    '\ta.example',
    '-a.example',
    '-c/tmp',
    '--help',
    '$mynetworks',
    '${queue_directory}',
    '$$',
    '#a.example',
    '{ a.example }',
    'a.example, b.example',
    'static:all',
    'pipe:{evil}',
    ':include:/etc/shadow',
    '/etc/shadow',
    '../../etc/shadow',
    'file:///etc/shadow',
    'lmtp:unix:/etc/shadow',
    '<script>alert(1)</script>',
    'a.example\ud800',
    '\udfff',
    '\ufeffa.example',
    'a\u202eelpmaxe',
    '%0amynetworks=0.0.0.0/0',
    'x'.repeat(1024 * 1024),
    '__proto__',
    '🙂'.repeat(1000),
  ];
}

/** Names that are none, or that are read as another one by somebody. */
export const IDN_TRICKS: readonly string[] = [
  'xn--a.example',
  'xn--abc-.example',
  'xn--a-ecp.example',
  'a\u00adb.example',
  'a\u200bb.example',
  'a\u200db.example',
  'a\u202eb.example',
  'a\u3002example',
  'example\u2024org',
  '\u2100.example',
  '\u24d4.example',
  '\u0301a.example',
  '\uff11\uff12\uff17.0.0.1',
  '127.1',
  '0x7f000001',
  '2130706433',
  '010.0.0.1',
  '%61.example',
  'a.example/x',
  'a.example:25',
  'user@a.example',
  'a..example',
  '-a.example',
  'a_b.example',
  `${'a'.repeat(64)}.example`,
  `${'\u00fc'.repeat(60)}.example`,
];

/** What is no text at all. */
export const HOSTILE_VALUES: readonly unknown[] = [
  null,
  true,
  [],
  {},
  [[]],
  ['a.example'],
  { toString: 'a.example' },
  { length: 1, 0: 'a' },
  -1,
  0.1,
  1e308,
  Number.MAX_SAFE_INTEGER + 1,
  -Number.MAX_VALUE,
  Array.from({ length: 100_000 }, () => 'a'),
];

/** Ways into a JavaScript object's own workings, as JSON text: an object literal here would lose them. */
export const PROTOTYPE_KEYS: readonly string[] = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
];

/** Every settings object with one leaf of `settings` replaced by `value`; `undefined` takes the leaf away. */
export function withEachLeaf(settings: unknown, value: unknown): readonly unknown[] {
  if (Array.isArray(settings)) {
    const added = [...(settings as unknown[]), value];
    return [
      added,
      value,
      ...settings.flatMap((one, index) =>
        withEachLeaf(one, value).map((changed) => settings.with(index, changed) as unknown),
      ),
    ];
  }
  if (typeof settings !== 'object' || settings === null) return [value];
  return Object.entries(settings).flatMap(([key, inner]) =>
    withEachLeaf(inner, value).map((changed) => ({ ...settings, [key]: changed })),
  );
}
