/** Reads a passphrase: from the terminal without showing it, or the first line of standard input. Never from arguments. */
import type { ReadStream } from 'node:tty';
import { LockedFileError } from './locked-file.js';

/** Longest passphrase, in bytes. */
const MAX_BYTES = 1_024;

export async function readPassphrase(prompts: readonly string[]): Promise<string> {
  const input = process.stdin;
  if (!input.isTTY) return firstLine(input);
  const answers: string[] = [];
  for (const prompt of prompts) answers.push(await ask(input, prompt));
  const [first = '', ...others] = answers;
  if (others.some((other) => other !== first)) {
    throw new LockedFileError('the two passphrases differ');
  }
  return first;
}

async function firstLine(input: NodeJS.ReadStream): Promise<string> {
  let text = '';
  for await (const chunk of input as AsyncIterable<Buffer>) {
    text += chunk.toString('utf8');
    if (text.includes('\n') || text.length > MAX_BYTES) break;
  }
  const [line = ''] = text.split('\n');
  if (line.length > MAX_BYTES) throw new LockedFileError('the passphrase is too long');
  return line.replace(/\r$/, '');
}

/** One line from the terminal, with nothing of it shown. */
function ask(input: ReadStream, prompt: string): Promise<string> {
  process.stderr.write(prompt);
  input.setRawMode(true).resume();
  return new Promise((resolve, reject) => {
    let typed = '';
    const end = (): void => {
      input.off('data', listen).setRawMode(false).pause();
      process.stderr.write('\n');
    };
    const listen = (chunk: Buffer): void => {
      for (const key of chunk.toString('utf8')) {
        if (key === '\r' || key === '\n' || key === '\u0004') {
          end();
          resolve(typed);
          return;
        }
        if (key === '\u0003') {
          end();
          reject(new LockedFileError('given up'));
          return;
        }
        typed = key === '\u007f' || key === '\b' ? [...typed].slice(0, -1).join('') : typed + key;
      }
    };
    input.on('data', listen);
  });
}
