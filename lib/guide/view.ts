/** The first steps in words. */
import type { Formats } from '../formats.js';
import type { Translator } from '../i18n.js';
import { toUnicodeDomain } from '../domains/schema.js';
import type { Guide, StepId } from './service.js';

export interface StepView {
  readonly kind: 'ok' | 'info' | 'off';
  readonly word: string;
  readonly title: string;
  readonly text: string;
  /** Where it is done; null when it is, or when no page of ours can. */
  readonly link: { readonly href: string; readonly text: string } | null;
}

export interface GuideView {
  readonly lead: string;
  readonly steps: readonly StepView[];
}

/** Where a step is done, below the mount point; users are the console's. */
const PLACES: Readonly<Partial<Record<StepId, string>>> = {
  domain: '/configuration/domains',
  smarthost: '/configuration/smarthost',
  test: '/#message',
};

export function viewGuide(t: Translator, format: Formats, base: string, guide: Guide): GuideView {
  const { steps } = guide;
  const text = (id: StepId, done: boolean | null): string => {
    if (done !== true) return t(`guide.${id}.${done === null ? 'unknown' : 'open'}`);
    switch (id) {
      case 'domain':
        return t('guide.domain.done', { domain: toUnicodeDomain(guide.domain) });
      case 'users':
        return t('guide.users.done', { count: guide.people ?? 0 });
      case 'smarthost':
        return guide.smarthost === ''
          ? t('guide.smarthost.none')
          : t('guide.smarthost.done', { host: guide.smarthost });
      case 'test':
        return t('guide.test.done', { when: guide.testedAt ? format.moment(guide.testedAt) : '' });
    }
  };
  return {
    lead: t('guide.lead', {
      done: steps.filter(({ done }) => done === true).length,
      count: steps.length,
    }),
    steps: steps.map(({ id, done }) => {
      const state = done === null ? 'unknown' : done ? 'done' : 'open';
      const place = PLACES[id];
      return {
        kind: done === null ? 'off' : done ? 'ok' : 'info',
        word: t(`guide.state.${state}`),
        title: t(`guide.${id}.title`),
        text: text(id, done),
        link:
          done === true || place === undefined
            ? null
            : { href: base + place, text: t(`guide.${id}.link`) },
      };
    }),
  };
}
