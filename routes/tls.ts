/** Encryption and login: how mail is protected on its way, which certificate we show, and the ports for mail programs. */
import type { Router } from 'express';
import { tlsForm } from '../lib/tls/form.js';
import type { TlsService } from '../lib/tls/service.js';
import {
  viewCertificates,
  viewLevels,
  viewLogin,
  viewPorts,
  viewSummary,
} from '../lib/tls/view.js';
import { settingsRoutes } from '../lib/web/settings-page.js';
import type { Web } from '../lib/web/web.js';

export const TLS_PATH = '/configuration/tls';

export function tlsRoutes(router: Router, web: Web, service: TlsService): void {
  const { pages } = web;
  settingsRoutes(router, web, {
    path: TLS_PATH,
    view: 'tls/index',
    menu: 'configuration',
    tab: 'tls',
    form: tlsForm,
    service,
    context: async (req, { settings, machine }) => {
      const t = pages.translator(req);
      const format = pages.formats(req);
      const means = await service.means();
      const serverName = machine?.serverName ?? '';
      const seen = { settings, serverName, now: new Date() };
      return {
        summary: viewSummary(t, format, settings, means),
        certificates: means === null ? [] : viewCertificates(t, format, means, seen),
        known: means !== null,
        offered: (means?.offers.length ?? 0) > 0,
        folder: means?.folder ?? '',
        levels: viewLevels(t),
        ports: viewPorts(t, means),
        login: viewLogin(t, settings, means),
        submits: settings.submission || settings.submissions,
        serverName,
      };
    },
  });
}
