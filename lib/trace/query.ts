/** What somebody looks for, as it stands in the address of the page. */
import type { Problem } from '../errors.js';
import { isQueueId, MAX_QUEUE_ID_LENGTH } from '../queue/id.js';
import { quote, readFields, type FieldValues } from '../web/fields.js';
import { MAX_WANTED_LENGTH, type Wanted } from './schema.js';

export const TRACE_FIELDS = ['sender', 'recipient', 'id', 'messageId', 'from', 'to'] as const;
const TEXTS = ['sender', 'recipient', 'messageId'] as const;

/** In the machine's own time. A day alone, or a minute, is meant from its beginning to its end. */
const LOCAL_TIME = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?)?$/;

export interface TraceQuery {
  /** As it was typed. */
  readonly values: FieldValues;
  readonly problems: readonly Problem[];
  /** Null while nothing was asked for, or something is wrong. */
  readonly wanted: Wanted | null;
}

export const ANYTHING: Wanted = {
  ...{ kind: 'messages', sender: '', recipient: '', id: '', messageId: '', text: '' },
  ...{ since: 0, until: 0 },
};

/** Reads the parameters of the page's address. A blank around a pasted value is no mistake. */
export function readTraceQuery(query: unknown): TraceQuery {
  const trimmed = Object.fromEntries(
    Object.entries((query ?? {}) as Record<string, unknown>).map(([name, value]) => [
      name,
      typeof value === 'string' ? value.trim() : value,
    ]),
  );
  const { values, problems } = readFields(trimmed, TRACE_FIELDS);
  const wrong = [...problems];
  const fault = (field: string, key: string): void => {
    if (!wrong.some((problem) => problem.field === field)) {
      wrong.push({ key, field, values: { value: quote(values[field] ?? '') } });
    }
  };
  for (const name of TEXTS) {
    const { length } = values[name] ?? '';
    if (length > MAX_WANTED_LENGTH) {
      wrong.push({
        key: 'trace.problem.long',
        field: name,
        values: { length, limit: MAX_WANTED_LENGTH },
      });
    }
  }
  const id = (values['id'] ?? '').replace(/[!*#]$/, '');
  if (id !== '' && (id.length > MAX_QUEUE_ID_LENGTH || !isQueueId(id)))
    fault('id', 'trace.problem.id');
  const since = momentOf(values['from'] ?? '', 'begin');
  const until = momentOf(values['to'] ?? '', 'end');
  if (since === null) fault('from', 'trace.problem.time');
  if (until === null) fault('to', 'trace.problem.time');
  if (since !== null && until !== null && until > 0 && since > until)
    fault('to', 'trace.problem.order');
  const asked = Object.keys(values).length > 0;
  return {
    values,
    problems: wrong,
    wanted:
      !asked || wrong.length > 0
        ? null
        : {
            ...ANYTHING,
            sender: bare(values['sender'] ?? ''),
            recipient: bare(values['recipient'] ?? ''),
            id,
            messageId: bare(values['messageId'] ?? ''),
            since: since ?? 0,
            until: until ?? 0,
          },
  };
}

/** Seconds since 1970; 0 for '', null for what is no time. */
function momentOf(text: string, which: 'begin' | 'end'): number | null {
  if (text === '') return 0;
  const [, year, month = '', day = '', hour, minute = '', second] = LOCAL_TIME.exec(text) ?? [];
  if (year === undefined) return null;
  const [hours, sixty] = which === 'begin' ? [0, 0] : [23, 59];
  const [h, m, s] = [
    Number(hour ?? hours),
    hour === undefined ? sixty : Number(minute),
    Number(second ?? sixty),
  ];
  const time = new Date(Number(year), Number(month) - 1, Number(day), h, m, s);
  const exists =
    time.getMonth() === Number(month) - 1 && time.getDate() === Number(day) && m < 60 && s < 60;
  return exists && time.getTime() >= 0 ? Math.floor(time.getTime() / 1000) : null;
}

/** The same as a value of the field: with seconds, so that nothing of it gets lost. */
export function localTime(seconds: number): string {
  const at = new Date(seconds * 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  const date = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join('-');
  return `${date}T${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** Addresses and Message-IDs are pasted with their angle brackets; `<>` alone is the null sender. */
function bare(text: string): string {
  return text.length > 2 && text.startsWith('<') && text.endsWith('>') ? text.slice(1, -1) : text;
}
