/** The results of a mailing as a table in a text file (CSV, RFC 4180). Pure. */
import { displayAddress } from '../aliases/address.js';
import type { Recipient } from './recipient-store.js';

/** A value that a spreadsheet would take for a formula gets `'` in front of it. */
const FORMULA = /^'*[=+\-@\t\r]/;

/** The line of names, with the mark by which spreadsheets know that the file is UTF-8. */
export const CSV_HEAD = '\ufeffname,login,address,result,queue id,answer,sent\r\n';

export function csvLine(recipient: Recipient): string {
  const { name, login, address, state, queueId, reply, sentAt } = recipient;
  const fields = [
    ...[name, login, displayAddress(address), state, queueId, reply],
    sentAt?.toISOString() ?? '',
  ];
  return `${fields.map(csvField).join(',')}\r\n`;
}

function csvField(value: string): string {
  const safe = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe;
}
