/** How sections open sealed secrets while they render. */
import type { KeyObject } from 'node:crypto';
import type { SystemView } from '../sections/section.js';
import { open } from '../secrets/seal.js';
import { readPrivateKey } from './keys.js';
import type { Paths } from './paths.js';

/** The key is read when the first box is opened: most changes hold none. */
export function secretsOf(paths: Paths): NonNullable<SystemView['open']> {
  let key: KeyObject | null = null;
  return (box, binding) => open((key ??= readPrivateKey(paths)), box, binding);
}
