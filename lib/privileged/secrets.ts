/** How sections open sealed secrets, and seal those they find on the machine. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import type { SystemView } from '../sections/section.js';
import { encodePublicKey, open, seal } from '../secrets/seal.js';
import { readPrivateKey } from './keys.js';
import type { Paths } from './paths.js';

export type Secrets = Required<Pick<SystemView, 'open' | 'seal'>>;

/**
 * The key is read when the first box is opened or sealed: most changes hold none. A box is opened once in a request, though
 * settings are rendered as they are and as they were.
 */
export function secretsOf(paths: Paths): Secrets {
  let known: KeyObject | null = null;
  const key = (): KeyObject => (known ??= readPrivateKey(paths));
  const opened = new Map<string, string>();
  return {
    open: (box, binding) => {
      const name = JSON.stringify([box, ...binding]);
      const secret = opened.get(name) ?? open(key(), box, binding);
      opened.set(name, secret);
      return secret;
    },
    seal: (secret, binding) => seal(encodePublicKey(createPublicKey(key())), secret, binding),
  };
}
