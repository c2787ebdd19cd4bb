/** Encryption and login: the settings, the certificates the host offers, and who checks passwords. */
import type { Helper } from '../client/helper.js';
import type { HostCertificate } from '../contract.js';
import { HelperError, UserError } from '../errors.js';
import type { ResultOf } from '../privileged/actions/index.js';
import {
  createSettingsService,
  type SettingsParts,
  type SettingsService,
} from '../settings/service.js';
import type { Words } from '../words.js';
import { tlsSchema, type TlsSettings } from './schema.js';
import { tlsTitle } from './words.js';

/** A certificate is told to run out when it is valid for less than this many days. */
export const SOON_DAYS = 21;
/** How long a page waits for the helper, in milliseconds. */
const LOOK_TIMEOUT_MS = 5_000;
const DAY_MS = 24 * 60 * 60 * 1000;

/** A certificate as it can be chosen. */
export interface Offer {
  readonly id: string;
  readonly label: string;
  readonly names: readonly string[];
  /** '' when nobody knows. */
  readonly issuer: string;
  readonly selfSigned: boolean;
  readonly expires: Date;
  /** Why it cannot be used, as a translation key; null when it can. */
  readonly problem: string | null;
}

/** What encryption and login can build on. */
export interface Means {
  readonly offers: readonly Offer[];
  readonly original: ResultOf<'encryption'>['original'];
  readonly login: ResultOf<'encryption'>['login'];
  readonly ports: ResultOf<'encryption'>['ports'];
  readonly folder: string;
}

/** Something of the saved settings that does not hold any more. */
export interface TlsTrouble extends Words {
  readonly severity: 'bad' | 'warn';
}

export interface TlsService extends SettingsService<TlsSettings> {
  /** As it is now, or was when the helper answered last; null while it never did. */
  means(): Promise<Means | null>;
  /** What is wrong with what is saved: a certificate that runs out, a login that nobody answers. */
  troubles(): Promise<readonly TlsTrouble[]>;
}

/** What Postfix does without a word in main.cf. */
const FALLBACK: TlsSettings = {
  incoming: 'none',
  outgoing: 'none',
  certificate: '',
  submission: false,
  submissions: false,
};

export function createTlsService({
  helper,
  certificates,
  now = () => new Date(),
  ...parts
}: Pick<SettingsParts<TlsSettings>, 'db' | 'changes' | 'machine'> & {
  readonly helper: Helper | null;
  readonly certificates: () => Promise<readonly HostCertificate[]>;
  readonly now?: () => Date;
}): TlsService {
  const settings = createSettingsService<TlsSettings>({
    ...parts,
    section: 'tls',
    fallback: FALLBACK,
    schema: tlsSchema,
    title: tlsTitle,
  });
  let known: Means | null = null;

  const means = async (): Promise<Means | null> => {
    if (helper === null) return null;
    try {
      const options = { actor: 'pages', timeoutMs: LOOK_TIMEOUT_MS };
      const [found, offered] = await Promise.all([
        helper.call('encryption', {}, options),
        certificates(),
      ]);
      const { original, login, ports, folder } = found;
      const offers = offered.map((one) => offerOf(one, found.certificates));
      known = { offers, original, login, ports, folder };
    } catch (error) {
      if (!(error instanceof HelperError)) throw error;
    }
    return known;
  };

  /** The host's list decides what can be chosen; the helper has the last word on what works. */
  const check = async ({ certificate }: TlsSettings): Promise<void> => {
    const [{ settings: present }, now] = await Promise.all([settings.current(), means()]);
    if (now === null || certificate === present.certificate) return;
    const key = certificate === '' ? problemOfNone(now) : problemOf(certificate, now);
    if (key !== null) throw new UserError({ key, values: {}, field: 'certificate' });
  };

  return {
    ...settings,
    means,
    async save(wanted) {
      await check(wanted.settings);
      return settings.save(wanted);
    },
    async preview(wanted) {
      await check(wanted.settings);
      return settings.preview(wanted);
    },
    async troubles() {
      const [{ settings: saved, source }, seen] = await Promise.all([settings.current(), means()]);
      return seen === null || source === 'unknown' ? [] : troublesOf(saved, seen, now());
    },
  };
}

function problemOf(certificate: string, { offers }: Means): string | null {
  const offer = offers.find(({ id }) => id === certificate);
  return offer === undefined ? 'certificate.problem.gone' : offer.problem;
}

function problemOfNone({ original }: Means): string | null {
  return original === null ? 'tls.problem.noOriginal' : null;
}

function offerOf(
  { id, label, names, expires, problem }: HostCertificate,
  found: ResultOf<'encryption'>['certificates'],
): Offer {
  const pair = found.find((one) => one.id === id);
  const facts = pair?.facts;
  return {
    id,
    label,
    names: facts?.names ?? names,
    issuer: facts?.issuer ?? '',
    selfSigned: facts?.selfSigned ?? false,
    expires: facts ? new Date(facts.expires) : expires,
    problem: pair === undefined ? 'certificate.problem.notThere' : (pair.problem ?? problem),
  };
}

function troublesOf(
  { certificate, submission, submissions }: TlsSettings,
  { offers, login }: Means,
  now: Date,
): readonly TlsTrouble[] {
  const troubles: TlsTrouble[] = [];
  const offer = offers.find(({ id }) => id === certificate);
  if (certificate !== '') {
    const values = { name: offer?.label ?? certificate };
    const days = offer ? daysLeft(offer.expires, now) : 0;
    if (offer === undefined || offer.problem !== null) {
      troubles.push({ severity: 'bad', key: 'tls.trouble.certificate', values });
    } else if (days < SOON_DAYS) {
      troubles.push({ severity: 'warn', key: 'tls.trouble.soon', values: { ...values, days } });
    }
  }
  if ((submission || submissions) && login === null) {
    troubles.push({ severity: 'bad', key: 'tls.trouble.noLogin', values: {} });
  }
  return troubles;
}

/** Whole days until then, 0 when it is today or over. */
export function daysLeft(expires: Date, now: Date): number {
  return Math.max(0, Math.floor((expires.getTime() - now.getTime()) / DAY_MS));
}
