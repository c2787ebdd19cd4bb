/** The settings of the section TLS: encryption of mail in and out, and sending with login (submission). */
import Joi from 'joi';

/** `may`: when the other side can. `encrypt`: not without. */
export type TlsLevel = 'none' | 'may' | 'encrypt';
export const TLS_LEVELS: readonly TlsLevel[] = ['none', 'may', 'encrypt'];

export interface TlsSettings {
  readonly incoming: TlsLevel;
  readonly outgoing: TlsLevel;
  /** Id of a pair in the machine's certificate folder; '' leaves the one Postfix was set up with. */
  readonly certificate: string;
  /** Port 587: login after STARTTLS (RFC 6409). */
  readonly submission: boolean;
  /** Port 465: encrypted from the first byte on (RFC 8314). */
  readonly submissions: boolean;
}

/** What a certificate's id may be: a plain name, never a path. */
export const CERTIFICATE_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$/;

const level = Joi.string()
  .valid(...TLS_LEVELS)
  .required();

export const tlsSchema = Joi.object<TlsSettings>({
  incoming: level,
  outgoing: level,
  certificate: Joi.string().allow('').pattern(CERTIFICATE_ID).required(),
  submission: Joi.boolean().required(),
  submissions: Joi.boolean().required(),
}).required();
