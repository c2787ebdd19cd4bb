/** Changes of the queries as the history tells them. */
import type { Words } from '../words.js';

export function addedTitle(name: string): Words {
  return { key: 'fetchmail.change.added', values: { name } };
}

export function editedTitle(name: string): Words {
  return { key: 'fetchmail.change.edited', values: { name } };
}

export function removedTitle(names: readonly string[]): Words {
  return { key: 'fetchmail.change.removed', values: counted(names) };
}

export function switchedTitle(names: readonly string[], on: boolean): Words {
  return { key: `fetchmail.change.${on ? 'on' : 'off'}`, values: counted(names) };
}

export function takenOverTitle(count: number): Words {
  return { key: 'fetchmail.change.takenOver', values: { count } };
}

function counted(names: readonly string[]): { name: string; count: number } {
  return { name: names[0] ?? '', count: names.length };
}
