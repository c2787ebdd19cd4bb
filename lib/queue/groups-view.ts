/** Groups of the queue in words, and the shape of age and destination as a table and as rectangles of a drawing. */
import { AGES, type QueueQuery } from './query.js';
import { safeLine } from './safe-text.js';
import type { Groups } from './selection.js';
import type { ViewParts } from './list-view.js';

/** Size of the drawing in its own units. */
const DRAWING = { width: 200, barHeight: 12, gap: 4 } as const;

export interface GroupLink {
  readonly label: string;
  readonly messages: string;
  readonly href: string;
  readonly current: boolean;
}

export interface ShapeRowView {
  readonly destination: string;
  readonly href: string;
  readonly current: boolean;
  readonly total: string;
  readonly cells: readonly string[];
  /** Rectangles of the bar, one for each age that has mail. */
  readonly bars: readonly { readonly x: number; readonly width: number; readonly age: number }[];
}

export interface GroupsView {
  readonly causes: readonly GroupLink[];
  readonly senders: readonly GroupLink[];
  readonly shape: {
    readonly ages: readonly string[];
    readonly rows: readonly ShapeRowView[];
    readonly width: number;
    readonly barHeight: number;
  };
}

type Address = (changes: Partial<QueueQuery>) => string;

export function groupsView(
  { t, format }: ViewParts,
  groups: Groups,
  query: QueueQuery,
  address: Address,
): GroupsView {
  const domain = (key: string): string => (key === '' ? t('queue.localUser') : safeLine(key));
  const most = Math.max(1, ...groups.shape.map(({ messages }) => messages));
  return {
    causes: [
      {
        label: t('queue.all'),
        messages: format.number(groups.all),
        href: address({ reason: '' }),
        current: query.reason === '',
      },
      ...groups.causes.map(({ key, messages }) => ({
        label: t(`queue.cause.${key}.title`),
        messages: format.number(messages),
        href: address({ reason: key }),
        current: query.reason === key,
      })),
    ],
    senders: groups.senders.map(({ key, messages }) => ({
      label: key === '<>' ? t('queue.nullSender') : safeLine(key),
      messages: format.number(messages),
      href: address({ sender: key }),
      current: query.sender === key,
    })),
    shape: {
      ages: ageLabels(),
      rows: groups.shape.map(({ destination, byAge, messages }) => {
        const label = destination === null ? t('queue.shape.others') : domain(destination);
        let x = 0;
        return {
          destination: label,
          href: destination === null ? '' : address({ recipient: `@${destination}` }),
          current: destination !== null && query.recipient === `@${destination}`,
          total: format.number(messages),
          cells: byAge.map((count) => format.number(count)),
          bars: byAge.flatMap((count, age) => {
            const width = Math.round((count / most) * DRAWING.width * 10) / 10;
            const bar = { x, width, age };
            x = Math.round((x + width) * 10) / 10;
            return width > 0 ? [bar] : [];
          }),
        };
      }),
      width: DRAWING.width,
      barHeight: DRAWING.barHeight,
    },
  };

  function ageLabels(): readonly string[] {
    const first = t('queue.shape.under', { age: format.duration(AGES[0] * 1000) });
    return [
      first,
      ...AGES.map((age) => t('queue.shape.over', { age: format.duration(age * 1000) })),
    ];
  }
}
