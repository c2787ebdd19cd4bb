/**
 * A name server for tests, with a zone of its own (RFC 1035): A, AAAA and MX; everything else does not exist.
 * Runs as a program of its own, where a test's network is: `dns-server.js ADDRESS ZONE-AS-JSON`, prints `ready`.
 */
import { createSocket } from 'node:dgram';
import { pathToFileURL } from 'node:url';

/** By name in lower case: addresses, and mail servers with their preference. */
export type Zone = Readonly<
  Record<
    string,
    {
      readonly a?: readonly string[];
      readonly aaaa?: readonly string[];
      readonly mx?: readonly (readonly [preference: number, host: string])[];
    }
  >
>;

const TYPES: Readonly<Record<number, 'a' | 'aaaa' | 'mx'>> = { 1: 'a', 28: 'aaaa', 15: 'mx' };
const NAME_DOES_NOT_EXIST = 3;

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const zone = JSON.parse(process.argv[3] ?? '{}') as Zone;
  const server = createSocket('udp4');
  server.on('message', (query, from) => server.send(answer(query, zone), from.port, from.address));
  server.bind(53, process.argv[2], () => process.stdout.write('ready\n'));
}

function answer(query: Buffer, zone: Zone): Buffer {
  const end = query.indexOf(0, 12) + 5;
  const question = query.subarray(12, end);
  const name = readName(question);
  const type = TYPES[question.readUInt16BE(question.length - 4)];
  const records = type === undefined ? [] : encodeRecords(zone, name, type);
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8580 | (zone[name] ? 0 : NAME_DOES_NOT_EXIST), 2);
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

function encodeRecords(zone: Zone, name: string, type: 'a' | 'aaaa' | 'mx'): Buffer[] {
  const entry = zone[name] ?? {};
  const data =
    type === 'mx'
      ? (entry.mx ?? []).map(([preference, host]) => Buffer.concat([word(preference), dns(host)]))
      : (entry[type] ?? []).map((address) => packed(address));
  const number = type === 'a' ? 1 : type === 'aaaa' ? 28 : 15;
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
