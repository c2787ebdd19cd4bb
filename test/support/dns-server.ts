/**
 * A name server for tests, with a zone of its own (RFC 1035): A, AAAA, MX and TXT; everything else does not exist.
 * Names with `silent` get no answer; `*.zone` stands for every name below it that has no entry of its own.
 * Runs as a program of its own, where a test's network is: `dns-server.js ADDRESS ZONE-AS-JSON`, prints `ready`.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';

/** By name in lower case: addresses, and mail servers with their preference. */
export type Zone = Readonly<
  Record<
    string,
    {
      readonly a?: readonly string[];
      readonly aaaa?: readonly string[];
      readonly mx?: readonly (readonly [preference: number, host: string])[];
      readonly txt?: readonly string[];
      readonly silent?: boolean;
    }
  >
>;

type Type = 'a' | 'aaaa' | 'mx' | 'txt';
const TYPES: Readonly<Record<number, Type>> = { 1: 'a', 28: 'aaaa', 15: 'mx', 16: 'txt' };
const NAME_DOES_NOT_EXIST = 3;

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const zone = JSON.parse(process.argv[3] ?? '{}') as Zone;
  await startDnsServer(process.argv[2] ?? '', () => zone);
  process.stdout.write('ready\n');
}

/** The same within a test, with a zone that may change. Resolves with what ends it. */
export async function startDnsServer(address: string, zone: () => Zone): Promise<() => void> {
  const server = createSocket('udp4');
  server.on('message', (query, from) => {
    const reply = answer(query, zone());
    if (reply !== null) server.send(reply, from.port, from.address);
  });
  server.bind(53, address);
  await once(server, 'listening');
  return () => server.close();
}

function entryOf(zone: Zone, name: string): Zone[string] | undefined {
  const parents = name.split('.').map((_, index, labels) => labels.slice(index + 1).join('.'));
  const wild = parents.map((parent) => zone[`*.${parent}`]).find((entry) => entry !== undefined);
  return zone[name] ?? wild;
}

function answer(query: Buffer, zone: Zone): Buffer | null {
  const end = query.indexOf(0, 12) + 5;
  const question = query.subarray(12, end);
  const name = readName(question);
  const type = TYPES[question.readUInt16BE(question.length - 4)];
  const entry = entryOf(zone, name);
  if (entry?.silent) return null;
  const records = type === undefined ? [] : encodeRecords(entry, type);
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8580 | (entry ? 0 : NAME_DOES_NOT_EXIST), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, question, ...records]);
}

function readName(question: Buffer): string {
  const labels: string[] = [];
  for (let at = 0; (question[at] ?? 0) > 0; at += (question[at] ?? 0) + 1) {
    labels.push(question.toString('latin1', at + 1, at + 1 + (question[at] ?? 0)));
  }
  return labels.join('.').toLowerCase();
}

function encodeRecords(entry: Zone[string] = {}, type: Type): Buffer[] {
  const data =
    type === 'mx'
      ? (entry.mx ?? []).map(([preference, host]) => Buffer.concat([word(preference), dns(host)]))
      : type === 'txt'
        ? (entry.txt ?? []).map((text) => Buffer.from(`${String.fromCharCode(text.length)}${text}`))
        : (entry[type] ?? []).map((address) => packed(address));
  const number = Number(Object.entries(TYPES).find(([, name]) => name === type)?.[0]);
  return data.map((one) =>
    // A pointer to the question's name, the class IN, one second to live.
    Buffer.concat([word(0xc00c), word(number), word(1), word(0), word(1), word(one.length), one]),
  );
}

function packed(address: string): Buffer {
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number));
  const [left = '', right = ''] = address.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const middle = 8 - groups(left).length - groups(right).length;
  const all = [...groups(left), ...Array<string>(middle).fill('0'), ...groups(right)];
  return Buffer.concat(all.map((group) => word(parseInt(group, 16))));
}

function word(number: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(number);
  return bytes;
}

function dns(name: string): Buffer {
  const labels = name
    .split('.')
    .map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`));
  return Buffer.concat([...labels, Buffer.from([0])]);
}
