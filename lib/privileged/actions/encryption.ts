/** `encryption`: what encryption and login can build on here: pairs of key and certificate, and who checks passwords. */
import Joi from 'joi';
import { describeCertificate, type CertificateFacts } from '../../tls/certificate.js';
import { certificateFolder, findCertificates, readCertificate } from '../certificates.js';
import type { Paths } from '../paths.js';
import { readConfig, type ConfigView } from '../postfix/config-view.js';
import { readState, type HelperState } from '../state.js';
import { defineAction } from './action.js';

const OWN = 'smtpd_tls_cert_file';

export const encryptionAction = defineAction({
  quiet: true,
  timeoutMs: 20_000,
  params: Joi.object<Record<string, never>>({}),
  run: async (_params, { paths }) => {
    const [view, state] = await Promise.all([readConfig(paths.configDir, paths), readState(paths)]);
    return {
      /** Where the pairs lie. */
      folder: certificateFolder(paths),
      certificates: findCertificates(paths).map(({ id, problem, facts }) => ({
        ...{ id, problem, facts },
      })),
      /** The certificate Postfix was set up with; null when there is none, or nobody knows it any more. */
      original: originalOf(view, state, paths),
      login: view.login?.kind ?? null,
      ports: { submission: view.port('submission'), submissions: view.port('submissions') },
    };
  },
});

/** `facts` is null when the file is no certificate that could be read. */
export interface Original {
  readonly file: string;
  readonly facts: CertificateFacts | null;
}

function originalOf(view: ConfigView, state: HelperState, paths: Paths): Original | null {
  const present = view.parameter(OWN);
  const ours = present.startsWith(`${certificateFolder(paths)}/`);
  const file = ours ? (state.originals[OWN] ?? '') : present;
  if (!file.startsWith('/')) return null;
  const certificate = readCertificate(file);
  return { file, facts: certificate && describeCertificate(certificate) };
}
