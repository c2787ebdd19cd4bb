import Joi from 'joi';

export interface NetworkSettings {
  /** `http://host:port`, or empty for none. Without a password: it would be a secret in a plain table. */
  readonly proxy: string;
}

export const networkSchema = Joi.object<NetworkSettings>({
  proxy: Joi.string().trim().allow('').max(300).custom(checkProxy).required(),
});

function checkProxy(value: string, helpers: Joi.CustomHelpers): string | Joi.ErrorReport {
  // The parser takes much for a host that is none (blanks, control characters, a bare number).
  if (!/^https?:\/\/[a-z0-9.[\]:-]+\/?$/i.test(value)) return helpers.error('any.invalid');
  let url: URL;
  try {
    url = new URL(value);
  } catch {
    return helpers.error('any.invalid');
  }
  const plain = url.username === '' && url.password === '' && url.pathname === '/';
  return plain ? url.origin : helpers.error('any.invalid');
}
