/** Policy: what is asked about strangers before their mail is taken. */
import type { Router } from 'express';
import { HelperError } from '../lib/errors.js';
import { policyForm } from '../lib/policy/form.js';
import { DELAY_SECONDS, MAX_WEIGHT } from '../lib/policy/schema.js';
import type { PolicyService } from '../lib/policy/service.js';
import { viewLists, viewOrder, viewServers, viewSummary } from '../lib/policy/view.js';
import { missingPolicyPackages } from '../lib/security/packages.js';
import { settingsRoutes } from '../lib/web/settings-page.js';
import type { Web } from '../lib/web/web.js';
import { PACKAGES_PATH } from './security-packages.js';

export const POLICY_PATH = '/security/policy';

export function policyRoutes(router: Router, web: Web, service: PolicyService): void {
  const { pages, host } = web;

  settingsRoutes(router, web, {
    path: POLICY_PATH,
    view: 'policy/index',
    menu: 'security',
    tab: 'policy',
    form: policyForm,
    service,
    context: async (req, { settings }, values) => {
      const t = pages.translator(req);
      const format = pages.formats(req);
      const status = await service.status();
      return {
        summary: viewSummary(t, settings),
        lists: viewLists(t, format, values, status),
        maxWeight: MAX_WEIGHT,
        delay: DELAY_SECONDS,
        down: viewServers(t, status),
        startAction: `${req.baseUrl}${POLICY_PATH}/start`,
        lacks: {
          greylisting: status !== null && !status.installed.postgrey,
          spf: status !== null && !status.installed.spf,
        },
        missingPackages: status === null ? [] : missingPolicyPackages(status.installed),
        packagesHref: req.baseUrl + PACKAGES_PATH,
        order: viewOrder(t, status?.restrictions),
      };
    },
  });

  router.post(`${POLICY_PATH}/start`, host.requireRole('mail.admin'), async (req, res) => {
    try {
      await service.start(pages.user(req).login);
    } catch (error) {
      // The page says what still does not answer.
      if (!(error instanceof HelperError)) throw error;
    }
    res.redirect(303, req.baseUrl + POLICY_PATH);
  });
}
