/** How sections open sealed secrets, and seal those they find on the machine. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import type { SystemView } from '../sections/section.js';
import { encodePublicKey, open, seal } from '../secrets/seal.js';
import { readPrivateKey } from './keys.js';
import type { Paths } from './paths.js';

export type Secrets = Required<Pick<SystemView, 'open' | 'seal'>>;

/** The key is read when the first box is opened or sealed: most changes hold none. */
export function secretsOf(paths: Paths): Secrets {
  let known: KeyObject | null = null;
  const key = (): KeyObject => (known ??= readPrivateKey(paths));
  return {
    open: (box, binding) => open(key(), box, binding),
    seal: (secret, binding) => seal(encodePublicKey(createPublicKey(key())), secret, binding),
  };
}
