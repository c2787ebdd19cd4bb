/** Certificates and login as the page shows them. Pure. */
import type { Formats } from '../formats.js';
import type { Translator } from '../i18n.js';
import { coversName } from './certificate.js';
import type { TlsSettings } from './schema.js';
import { daysLeft, SOON_DAYS, type Means, type Offer } from './service.js';

export interface CertificateChoice {
  readonly value: string;
  readonly label: string;
  /** For whom, from whom, until when. */
  readonly text: string;
  readonly chip: { readonly kind: 'bad' | 'warn'; readonly word: string } | null;
  /** What is wrong, or should be known. */
  readonly note: string;
  /** It cannot be chosen, unless it is chosen already. */
  readonly closed: boolean;
}

export interface Seen {
  readonly settings: TlsSettings;
  /** What the mail server calls itself, '' when nobody knows. */
  readonly serverName: string;
  readonly now: Date;
}

/** All that can be chosen: the one Postfix was set up with first, then what the host offers. */
export function viewCertificates(
  t: Translator,
  format: Formats,
  { offers, original }: Means,
  seen: Seen,
): readonly CertificateChoice[] {
  const present = seen.settings.certificate;
  const choices = offers.map((offer) => viewOffer(t, format, offer, seen));
  if (present !== '' && !offers.some(({ id }) => id === present)) {
    choices.unshift({
      value: present,
      label: present,
      text: '',
      chip: { kind: 'bad', word: t('tls.certificate.unusable') },
      note: t('certificate.problem.gone'),
      closed: false,
    });
  }
  return original === null && present !== ''
    ? choices
    : [viewOriginal(t, format, original), ...choices];
}

function viewOriginal(
  t: Translator,
  format: Formats,
  original: Means['original'],
): CertificateChoice {
  const facts = original?.facts;
  const text = facts
    ? factsText(t, format, { ...facts, expires: new Date(facts.expires) })
    : t(original === null ? 'tls.certificate.none' : 'tls.certificate.unknown');
  const label = t(`tls.choice.certificate.${original === null ? 'none' : 'own'}`);
  const note = facts?.selfSigned ? t('tls.certificate.selfSigned') : '';
  return { value: '', label, text, chip: null, note, closed: false };
}

function viewOffer(t: Translator, format: Formats, offer: Offer, seen: Seen): CertificateChoice {
  const { id, label, problem, expires } = offer;
  const days = daysLeft(expires, seen.now);
  const chip =
    problem !== null
      ? ({ kind: 'bad', word: t('tls.certificate.unusable') } as const)
      : days < SOON_DAYS
        ? ({ kind: 'warn', word: t('tls.certificate.soon', { days }) } as const)
        : null;
  return {
    value: id,
    label,
    text: offer.names.length === 0 && problem !== null ? '' : factsText(t, format, offer),
    chip,
    note: noteOf(t, offer, seen),
    closed: problem !== null && seen.settings.certificate !== id,
  };
}

function noteOf(
  t: Translator,
  { problem, names, selfSigned }: Offer,
  { serverName }: Seen,
): string {
  if (problem !== null) return t(problem);
  if (serverName.includes('.') && !coversName(names, serverName)) {
    return t('tls.certificate.otherName', { name: serverName });
  }
  return selfSigned ? t('tls.certificate.selfSigned') : '';
}

function factsText(
  t: Translator,
  format: Formats,
  { names, issuer, expires }: Pick<Offer, 'names' | 'issuer' | 'expires'>,
): string {
  const values = { names: format.list(names), issuer, until: format.date(expires) };
  if (names.length === 0) return t('tls.certificate.nameless', values);
  return t(issuer === '' ? 'tls.certificate.short' : 'tls.certificate.facts', values);
}

/** Fields of one of several choices each, as the view draws them. */
export interface ChoiceView {
  readonly name: string;
  readonly label: string;
  readonly hint: string;
  readonly choices: readonly {
    readonly value: string;
    readonly label: string;
    readonly hint: string;
  }[];
}

export function viewLevels(t: Translator): readonly ChoiceView[] {
  return (['incoming', 'outgoing'] as const).map((name) => ({
    name,
    label: t(`tls.field.${name}`),
    hint: t(`tls.hint.${name}`),
    choices: (['may', 'encrypt', 'none'] as const).map((value) => ({
      value,
      label: t(`tls.choice.${name}.${value}`),
      hint: t(`tls.choice.${name}.${value}.hint`),
    })),
  }));
}

/** What the ports are called when nobody says otherwise (RFC 6409, RFC 8314). */
const USUAL_PORTS = { submission: 587, submissions: 465 } as const;

export function viewPorts(t: Translator, means: Means | null): readonly ChoiceView[] {
  return (['submission', 'submissions'] as const).map((name) => {
    const port = means?.ports[name] ?? USUAL_PORTS[name];
    return {
      name,
      label: t(`tls.field.${name}`),
      hint: port === USUAL_PORTS[name] ? '' : t('tls.hint.port', { port: String(port) }),
      choices: [
        {
          value: 'yes',
          label: t('tls.choice.port.yes'),
          hint: t(`tls.choice.${name}.yes.hint`),
        },
        { value: 'no', label: t('tls.choice.port.no'), hint: '' },
      ],
    };
  });
}

/** Who checks passwords, and what is missing when nobody does. */
export function viewLogin(
  t: Translator,
  { submission, submissions }: TlsSettings,
  means: Means | null,
): { readonly kind: 'ok' | 'bad' | 'off'; readonly word: string; readonly text: string } | null {
  if (means === null) return null;
  if (means.login !== null) {
    return { kind: 'ok', word: t('tls.login.ready'), text: t(`tls.login.${means.login}`) };
  }
  const broken = submission || submissions;
  return {
    kind: broken ? 'bad' : 'off',
    word: t('tls.login.nobody'),
    text: t(broken ? 'tls.login.broken' : 'tls.login.missing'),
  };
}

/** What holds now, in one sentence each. */
export function viewSummary(
  t: Translator,
  format: Formats,
  { incoming, certificate, submission, submissions }: TlsSettings,
  means: Means | null,
): readonly string[] {
  const offer = means?.offers.find(({ id }) => id === certificate);
  const ports = means?.ports ?? USUAL_PORTS;
  const open = [
    ...(submission ? [String(ports.submission)] : []),
    ...(submissions ? [String(ports.submissions)] : []),
  ];
  return [
    t(`tls.summary.incoming.${incoming}`),
    ...(offer ? [certificateSummary(t, format, offer)] : []),
    open.length === 0
      ? t('tls.summary.noPorts')
      : t('tls.summary.ports', { count: open.length, ports: format.list(open) }),
  ];
}

function certificateSummary(t: Translator, format: Formats, offer: Offer): string {
  const { label: name, problem, expires } = offer;
  if (problem !== null) return t('tls.summary.certificateBad', { name });
  return t('tls.summary.certificate', { name, until: format.date(expires) });
}
