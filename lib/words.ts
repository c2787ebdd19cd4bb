import type { MessageValues } from './errors.js';

/** Something to be said in the reader's language: a translation key and its values. */
export interface Words {
  readonly key: string;
  readonly values: MessageValues;
}

/** A value that is the same in every language, such as a host name. */
export function asItIs(text: string): Words {
  return { key: 'value.asItIs', values: { text } };
}
