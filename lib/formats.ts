/**
 * Numbers, sizes and times as a language writes them. Pure: the clock comes in.
 */
import type { Translator } from './i18n.js';

const KIB = 1024;
const SECOND_MS = 1000;
const MINUTE_S = 60;
const HOUR_S = 60 * MINUTE_S;
const DAY_S = 24 * HOUR_S;

const SIZES = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;
const STEPS = [
  { unit: 'day', seconds: DAY_S },
  { unit: 'hour', seconds: HOUR_S },
  { unit: 'minute', seconds: MINUTE_S },
  { unit: 'second', seconds: 1 },
] as const;

export interface Formats {
  /** `1,234.5`; at most `digits` decimals (0 when absent). */
  readonly number: (value: number, digits?: number) => string;
  /** A number as a field holds it, `9.77`, with the decimal mark of the language; other text stays as it is. */
  readonly decimal: (text: string) => string;
  /** Bytes in the unit people use for it, in steps of 1024: `25 MB`, `1.5 GB`. */
  readonly bytes: (value: number) => string;
  /** A number of MiB as `25 MB`, never in another unit: it stands beside the field it came from. */
  readonly megabytes: (value: number, digits?: number) => string;
  /** Milliseconds in at most two units: `3 hrs, 10 mins`. */
  readonly duration: (milliseconds: number) => string;
  /** `22 November 2026`. */
  readonly date: (value: Date) => string;
  /** `11:42`. */
  readonly time: (value: Date) => string;
  /** A moment seen from `now`: `today at 11:42`, `yesterday at 17:20`, `tomorrow at 08:00`, `16 Nov 2026 at 09:00`. */
  readonly moment: (value: Date) => string;
  /** A moment to come: `11:42`, `tomorrow at 17:20`, `30 Nov 2026 at 09:00`. */
  readonly soon: (value: Date) => string;
  /** To the second: `11:42:05`. */
  readonly clock: (value: Date) => string;
  /** How long ago: `5 minutes ago`. */
  readonly ago: (value: Date) => string;
  /** `a, b and c`. */
  readonly list: (items: readonly string[]) => string;
  /** A comparison for lists that people read. */
  readonly compare: (a: string, b: string) => number;
}

/** Formats for the translator's language, in `timeZone` (the machine's own when absent). */
export function createFormats(
  t: Translator,
  options: { readonly now?: () => Date; readonly timeZone?: string } = {},
): Formats {
  const { locale } = t;
  const now = options.now ?? (() => new Date());
  const zone = options.timeZone === undefined ? {} : { timeZone: options.timeZone };
  const time = new Intl.DateTimeFormat(locale, { ...zone, hour: '2-digit', minute: '2-digit' });
  const clock = new Intl.DateTimeFormat(locale, { ...zone, timeStyle: 'medium' });
  const date = new Intl.DateTimeFormat(locale, { ...zone, dateStyle: 'long' });
  const shortDate = new Intl.DateTimeFormat(locale, { ...zone, dateStyle: 'medium' });
  const day = new Intl.DateTimeFormat('en-CA', { ...zone, dateStyle: 'short' });
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  const conjunction = new Intl.ListFormat(locale, { type: 'conjunction' });
  const parts = new Intl.ListFormat(locale, { type: 'unit', style: 'short' });
  const collator = new Intl.Collator(locale, { numeric: true, sensitivity: 'base' });

  const moment = (value: Date): string => {
    const at = { time: time.format(value) };
    const then = day.format(value);
    const away = (days: number): boolean =>
      then === day.format(new Date(now().getTime() + days * DAY_S * SECOND_MS));
    if (away(0)) return t('time.today', at);
    if (away(-1)) return t('time.yesterday', at);
    if (away(1)) return t('time.tomorrow', at);
    return t('time.on', { ...at, date: shortDate.format(value) });
  };
  /** By decimals. Making one takes longer than a hundred numbers. */
  const numbers = new Map<number, Intl.NumberFormat>();
  const number = (value: number, digits = 0): string => {
    const known =
      numbers.get(digits) ?? new Intl.NumberFormat(locale, { maximumFractionDigits: digits });
    numbers.set(digits, known);
    return known.format(value);
  };
  const decimalMark = number(0.5, 1).slice(1, -1);
  const measure = (value: number, unit: string, digits: number): string =>
    new Intl.NumberFormat(locale, {
      style: 'unit',
      unit,
      // The short form of bytes has no plural.
      unitDisplay: unit === 'byte' ? 'long' : 'short',
      maximumFractionDigits: digits,
    })
      .format(value)
      .replace(' ', '\u00a0');

  return {
    number,
    decimal: (text) => (/^\d+\.\d+$/.test(text) ? text.replace('.', decimalMark) : text),
    bytes(value) {
      let size = value;
      let step = 0;
      while (Math.abs(size) >= KIB && step < SIZES.length - 1) {
        size /= KIB;
        step += 1;
      }
      return measure(size, SIZES[step] ?? 'byte', step > 0 && Math.abs(size) < 10 ? 1 : 0);
    },
    megabytes: (value, digits = 0) => measure(value, 'megabyte', digits),
    duration(milliseconds) {
      let rest = Math.max(0, Math.round(milliseconds / SECOND_MS));
      const first = STEPS.findIndex((step) => rest >= step.seconds);
      if (first < 0) return measure(0, 'second', 0);
      const words: string[] = [];
      for (const step of STEPS.slice(first, first + 2)) {
        const count = Math.floor(rest / step.seconds);
        rest -= count * step.seconds;
        if (count > 0) words.push(measure(count, step.unit, 0));
      }
      return parts.format(words);
    },
    date: (value) => date.format(value),
    time: (value) => time.format(value),
    moment,
    soon: (value) => (day.format(value) === day.format(now()) ? time.format(value) : moment(value)),
    clock: (value) => clock.format(value),
    ago(value) {
      const seconds = (value.getTime() - now().getTime()) / SECOND_MS;
      const step =
        STEPS.find((candidate) => Math.abs(seconds) >= candidate.seconds) ??
        STEPS[STEPS.length - 1];
      return step === undefined || step.seconds === 1
        ? t('time.justNow')
        : relative.format(Math.round(seconds / step.seconds), step.unit);
    },
    list: (items) => conjunction.format(items),
    compare: (a, b) => collator.compare(a, b),
  };
}
