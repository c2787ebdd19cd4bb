/**
 * Every mail server of `test/takeover/corpus`, through the helper and with a running Postfix: looked at, taken over, saved
 * unchanged, compared byte for byte, and mail sent before and after. `node dist/bench/takeover.js [part of a name]`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Saver } from '../test/support/saver.js';
import { CORPUS_NAMES, installCase, snapshot } from '../test/support/corpus.js';
import { startPostfixRoot, type PostfixRoot } from '../test/support/postfix-root.js';

/** How long Postfix has to come up, in milliseconds. */
const START_LIMIT_MS = 10_000;

const wanted = CORPUS_NAMES.filter((name) => name.includes(process.argv[2] ?? ''));
const root = await startPostfixRoot({ started: false, ownNetwork: true });
let failures = 0;
let looked = 0;
let native = 0;
try {
  for (const name of wanted) {
    const words = await tryCase(name, root).catch((error: unknown) => [String(error)]);
    if (words.length > 0) failures += 1;
    console.log(
      `${words.length === 0 ? 'ok  ' : 'FAIL'} ${name}${words.map((word) => `\n       ${word}`).join('')}`,
    );
  }
} finally {
  await root.stop();
}
console.log(
  `${wanted.length - failures} of ${wanted.length} taken over; a look takes ${(looked / native).toFixed(1)} times one \`postconf -n\``,
);
process.exitCode = failures === 0 ? 0 : 1;

/** What went wrong, in words. */
async function tryCase(name: string, machine: PostfixRoot): Promise<string[]> {
  const { helper, places } = machine;
  installCase(name, places);
  const words: string[] = [];
  const checked = complaints(await machine.postfix('check'));
  const files = snapshot(places);
  const before = await mailGoes();
  const started = performance.now();
  await machine.run('/usr/sbin/postconf', ['-c', places.configDir, '-n']);
  const afterNative = performance.now();
  const { settings, edits } = await helper.call('takeover', {}, { actor: 'bench' });
  native += afterNative - started;
  looked += performance.now() - afterNative;
  // Aliases of the machine stay in their files.
  const sections = Object.fromEntries(
    Object.entries(settings).filter(([id]) => id !== 'aliases' && id !== 'recipients'),
  );
  const saver = new Saver(helper);
  for (const round of ['take over', 'save unchanged']) {
    const { status } = await saver.save(sections, { leave: edits });
    if (status !== 'unchanged') words.push(`${round}: ${status}`);
  }
  if (!sameFiles(files, snapshot(places))) words.push('a byte changed');
  if (complaints(await machine.postfix('check')) !== checked)
    words.push('postfix check says something else');
  const after = await mailGoes();
  if (after !== before) words.push(`mail: ${before} before, ${after} after`);
  return words;

  /** What the running Postfix answers to a mail for a user of the machine. */
  async function mailGoes(): Promise<string> {
    await machine.postfix('start');
    const domain = await ownDomain();
    try {
      for (const end = Date.now() + START_LIMIT_MS; ; await sleep(100)) {
        const args = [
          '-c',
          '-f',
          'sender@outside.example',
          '-t',
          `alice@${domain}`,
          '127.0.0.1:25',
        ];
        const answer = await machine.run('/usr/sbin/smtp-source', args, { timeoutMs: 20_000 });
        if (answer.code === 0) return 'accepted';
        const refused = /\b[45]\d\d[ -][^\n]*/.exec(answer.stderr)?.[0];
        if (refused !== undefined) return refused.slice(0, 40);
        if (Date.now() > end) return 'no answer';
      }
    } finally {
      await machine.postfix('stop');
    }
  }

  async function ownDomain(): Promise<string> {
    const answer = await machine.run('/usr/sbin/postconf', [
      '-c',
      places.configDir,
      '-xh',
      'mydestination',
    ]);
    const names = answer.stdout.split(/[\s,]+/).filter((one) => /^[a-z0-9.-]+$/i.test(one));
    return names[0] ?? 'localhost';
  }
}

/** Each line once: how often `postconf` is run by it, and repeats itself, depends on what is missing in the queue folder. */
function complaints({ stderr }: { readonly stderr: string }): string {
  return [...new Set(stderr.split('\n'))].sort().join('\n');
}

function sameFiles(left: ReadonlyMap<string, string>, right: ReadonlyMap<string, string>): boolean {
  return left.size === right.size && [...left].every(([file, text]) => right.get(file) === text);
}
