/** How sections open sealed secrets while they render. */
import { open } from '../secrets/seal.js';
import { privateKey } from './keys.js';
import type { Paths } from './paths.js';

export async function secretsOf(
  paths: Paths,
): Promise<(box: string, binding: readonly string[]) => string> {
  const key = await privateKey(paths);
  return (box, binding) => open(key, box, binding);
}
