/** What each part of the mail server is like, from what is known already. Pure. */
import type { Listed } from '../fetchmail/service.js';
import { isFailing } from '../fetchmail/list-view.js';
import type { Statuses } from '../fetchmail/statuses.js';
import type { MachineView } from '../machine/service.js';
import type { QueueNow, QueueNotice } from '../queue/watch.js';
import type { Means, TlsTrouble } from '../tls/service.js';
import type { TlsSettings } from '../tls/schema.js';
import { viewSummary } from '../tls/view.js';
import type { PolicySettings } from '../policy/schema.js';
import type { PolicyTrouble } from '../policy/service.js';
import { viewSummary as viewPolicy } from '../policy/view.js';
import { ofScanners } from '../security/chain.js';
import type { Chain } from '../security/service.js';
import { viewState } from '../security/view.js';
import { wordOf, type Part } from './part.js';

/** What was counted is said with its time once it is older than this, in milliseconds. */
const OLD_MS = 30_000;

export function postfixPart(view: MachineView | null): Part {
  const base = { id: 'postfix', path: '/configuration/base' };
  if (view === null) {
    return { ...base, kind: 'off', word: 'overview.word.unknown', say: () => [] };
  }
  const { running, version, installed } = view.postfix;
  const state = running ? 'runs' : installed ? 'stopped' : 'missing';
  return {
    ...base,
    kind: running ? 'ok' : 'bad',
    word: running ? wordOf('ok') : `overview.word.${state}`,
    say: (t) => [t(`overview.part.postfix.${state}`, { version })],
  };
}

/** `now` is null while nobody has counted yet. */
export function queuePart(now: QueueNow | null, notices: readonly QueueNotice[]): Part {
  const base = { id: 'queue', path: '/queue' };
  if (now === null) {
    return { ...base, kind: 'off', word: 'overview.word.unknown', say: () => [] };
  }
  const kinds = notices.map(({ kind }) => kind);
  const kind = kinds.includes('bad') ? 'bad' : kinds.includes('warn') ? 'warn' : 'ok';
  const { waiting, held, diskFree, at } = now;
  return {
    ...base,
    kind,
    word: wordOf(kind),
    say: (t, format) => [
      waiting === 0 ? t('queue.lead.none') : t('queue.lead.count', { count: waiting }),
      ...(held === 0 ? [] : [t('queue.lead.held', { count: held })]),
      t('overview.part.queue.room', { room: format.bytes(diskFree) }),
      ...(Date.now() - at.getTime() > OLD_MS ? [t('queue.age', { time: format.time(at) })] : []),
    ],
  };
}

/** `fetched` is null while nobody has said what there is to fetch. */
export function retrievalPart(
  fetched: { readonly rows: readonly Listed[]; readonly statuses: Statuses } | null,
): Part {
  const base = { id: 'retrieval', path: '/fetchmail' };
  if (fetched === null) {
    return { ...base, kind: 'off', word: 'overview.word.unknown', say: () => [] };
  }
  const { rows, statuses } = fetched;
  const off = rows.filter(({ query }) => !query.enabled).length;
  const failing = rows.filter(isFailing).length;
  const on = rows.length - off;
  const unknown = on > 0 && statuses.failure !== null;
  const away = on > 0 && !unknown && !statuses.running;
  const kind = on === 0 || unknown ? 'off' : away ? 'bad' : failing > 0 ? 'warn' : 'ok';
  const last = rows
    .flatMap(({ status }) => (status?.finishedAt ? [new Date(status.finishedAt)] : []))
    .sort((a, b) => b.getTime() - a.getTime())[0];
  return {
    ...base,
    kind,
    word: unknown ? 'overview.word.unknown' : wordOf(kind),
    say: (t, format) => [
      rows.length === 0
        ? t('overview.part.retrieval.none')
        : t('fetchmail.lead', { count: rows.length, failing, off }),
      ...(away ? [t('fetchmail.service.notRunning.title')] : []),
      ...(last === undefined || on === 0
        ? []
        : [t('overview.part.retrieval.last', { when: format.moment(last) })]),
    ],
  };
}

export function policyPart(settings: PolicySettings, troubles: readonly PolicyTrouble[]): Part {
  const { greylisting, spf, blockLists } = settings;
  const on = greylisting || spf !== 'off' || blockLists.some(({ enabled }) => enabled);
  const kind = troubles.length > 0 ? 'warn' : on ? 'ok' : 'off';
  return {
    id: 'policy',
    path: '/security/policy',
    kind,
    word: wordOf(kind),
    say: (t) => [viewPolicy(t, settings)],
  };
}

/** The scanners for spam and viruses, as their own page sums them up. */
export function scanningPart({ status, ...chain }: Chain): Part {
  const gaps = ofScanners(chain.gaps);
  const base = { id: 'scanning', path: '/security' };
  if (status === null) {
    return { ...base, kind: 'off', word: 'overview.word.unknown', say: () => [] };
  }
  const { spam, virus } = status.settings ?? { spam: false, virus: false };
  const bad = gaps.some(({ severity }) => severity === 'bad');
  const kind = bad ? 'bad' : gaps.length > 0 ? 'warn' : spam || virus ? 'ok' : 'off';
  return { ...base, kind, word: wordOf(kind), say: (t) => [viewState(t, status, gaps).sentence] };
}

export function encryptionPart(
  settings: TlsSettings,
  means: Means | null,
  troubles: readonly TlsTrouble[],
): Part {
  const severities = troubles.map(({ severity }) => severity);
  const kind = severities.includes('bad')
    ? 'bad'
    : severities.includes('warn')
      ? 'warn'
      : settings.incoming === 'none'
        ? 'off'
        : 'ok';
  return {
    id: 'encryption',
    path: '/configuration/tls',
    kind,
    word: wordOf(kind),
    say: (t, format) => viewSummary(t, format, settings, means),
  };
}
