/**
 * `createPlugin(host)`: the one file that knows every feature.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Router } from 'express';
import { backupRoutes } from '../routes/backup.js';
import { aliasesRoutes } from '../routes/aliases.js';
import { aliasesEditRoutes } from '../routes/aliases-edit.js';
import { aliasesTransferRoutes } from '../routes/aliases-transfer.js';
import { baseRoutes } from '../routes/base.js';
import { divergenceRoutes } from '../routes/divergence.js';
import { domainsRoutes } from '../routes/domains.js';
import { domainsRemoveRoutes } from '../routes/domains-remove.js';
import { domainsShowRoutes } from '../routes/domains-show.js';
import { differencesRoutes } from '../routes/differences.js';
import { exceptionsRoutes } from '../routes/exceptions.js';
import { exceptionsEditRoutes } from '../routes/exceptions-edit.js';
import { fetchmailRoutes } from '../routes/fetchmail.js';
import { fetchmailEditRoutes } from '../routes/fetchmail-edit.js';
import { guideRoutes } from '../routes/guide.js';
import { historyRoutes } from '../routes/history.js';
import { overviewRoutes } from '../routes/overview.js';
import { quarantineRoutes } from '../routes/quarantine.js';
import { queueRoutes } from '../routes/queue.js';
import { queueActRoutes } from '../routes/queue-act.js';
import { queueJobsRoutes } from '../routes/queue-jobs.js';
import { queueShowRoutes } from '../routes/queue-show.js';
import { createDifferencesService } from './differences/service.js';
import { routeRoutes } from '../routes/route.js';
import { policyRoutes } from '../routes/policy.js';
import { refusalsRoutes } from '../routes/refusals.js';
import { securityRoutes } from '../routes/security.js';
import { relayRoutes } from '../routes/relay-subnets.js';
import { relayRowRoutes } from '../routes/relay-subnets-rows.js';
import { smarthostRoutes } from '../routes/smarthost.js';
import { takeoverRoutes } from '../routes/takeover.js';
import { tlsRoutes } from '../routes/tls.js';
import { traceRoutes } from '../routes/trace.js';
import { bulkActRoutes } from '../routes/bulk-act.js';
import { bulkEditRoutes } from '../routes/bulk-edit.js';
import { bulkRoutes } from '../routes/bulk.js';
import { createHistoryService, sealAgainWith, type SecretSealers } from './history/service.js';
import { adoptAliases } from './aliases/adoption.js';
import { aliasesHolding } from './aliases/holding.js';
import { createAliasTaker } from './aliases/take-edits.js';
import { createAliasesService } from './aliases/service.js';
import { aliasesSource } from './aliases/source.js';
import { createAliasTransfer } from './aliases/transfer.js';
import { createAliasWatch } from './aliases/watch.js';
import { createWorlds } from './aliases/world.js';
import { createBackupService } from './backup/service.js';
import { createBulkService } from './bulk/service.js';
import { createBaseService } from './base/service.js';
import { baseSchema } from './base/schema.js';
import { baseSource } from './base/source.js';
import { adoptingFirst } from './changes/adoption.js';
import { createChanges } from './changes/service.js';
import { createHelper } from './client/helper.js';
import type { Host, Plugin } from './contract.js';
import { migrateMail } from './database/mail-schema.js';
import { NotFoundError } from './errors.js';
import { createDomainChecks, systemDns, type ChecksParts } from './domains/checks.js';
import { domainsHolding } from './domains/holding.js';
import { createDomainsService, directoryUse } from './domains/service.js';
import { createSigning } from './domains/signing.js';
import { domainsSource } from './domains/source.js';
import { adoptExceptions } from './exceptions/adoption.js';
import { exceptionsHolding } from './exceptions/holding.js';
import { createExceptionsService } from './exceptions/service.js';
import { exceptionsSource } from './exceptions/source.js';
import { adoptQueries } from './fetchmail/adoption.js';
import { createFetchmailHolding } from './fetchmail/holding.js';
import { createFetchmailService } from './fetchmail/service.js';
import { createFetchmailTakeover } from './fetchmail/take-over-service.js';
import { fetchmailSource } from './fetchmail/source.js';
import { createGuide } from './guide/service.js';
import { createI18n } from './i18n.js';
import { createMachine, type Machine } from './machine/service.js';
import { readManifest, sectionPages } from './manifest.js';
import { createOverviewService } from './overview/service.js';
import { PACKAGE_ROOT } from './package-root.js';
import { policySchema } from './policy/schema.js';
import { createPolicyService } from './policy/service.js';
import { policySource } from './policy/source.js';
import { createQuarantineService } from './quarantine/service.js';
import { createQueueService } from './queue/service.js';
import { createQueueWatch } from './queue/watch.js';
import { createRecipientsService } from './recipients/service.js';
import { recipientsSource } from './recipients/source.js';
import { relayHolding } from './relay-subnets/holding.js';
import { createRelayService } from './relay-subnets/service.js';
import { relaySource } from './relay-subnets/source.js';
import { createRouteService } from './route/service.js';
import { createDailyRules } from './security/daily-rules.js';
import { securitySchema } from './security/schema.js';
import { createSecurityService } from './security/service.js';
import { securitySource } from './security/source.js';
import { createFormHolding, type Holding } from './settings/holding.js';
import { createSmarthostHolding } from './smarthost/holding.js';
import { createSmarthostService } from './smarthost/service.js';
import { smarthostSource } from './smarthost/source.js';
import { createTakeoverService } from './takeover/service.js';
import { tlsSchema } from './tls/schema.js';
import { createTlsService } from './tls/service.js';
import { tlsSource } from './tls/source.js';
import { createTraceService } from './trace/service.js';
import { createAssets } from './web/assets.js';
import { errorPages } from './web/error-page.js';
import { formBody } from './web/form-body.js';
import { createViews } from './web/views.js';
import { createWeb } from './web/web.js';

/** How old the server's name may be for a DNS check, in milliseconds. */
const SERVER_NAME_AGE_MS = 60_000;

/**
 * How long a start waits for a change that a crash left open, in milliseconds: a helper that puts a bad Postfix back takes
 * minutes. Then the pages are served and say so, and the change is gone on with.
 */
const RECOVER_LIMIT_MS = 10_000;

/** What tests put in the place of the world outside. */
export interface PluginParts {
  readonly dns?: ChecksParts['dns'];
  readonly recoverLimitMs?: number;
  /** How long the overview waits for its parts. */
  readonly patienceMs?: number;
}

/** Builds the plugin on what the host gives. Mount `router`, then call `start()` once before serving. */
export function createPlugin(
  host: Host,
  { dns = systemDns(), recoverLimitMs = RECOVER_LIMIT_MS, patienceMs }: PluginParts = {},
): Plugin {
  const { db, log } = host;
  const manifest = readManifest();
  const i18n = createI18n(join(PACKAGE_ROOT, manifest.locales), {
    product: host.brand.product,
    onProblem: (problem) => log.error({ problem }, 'a text is missing'),
  });
  const views = createViews(host.views, join(PACKAGE_ROOT, 'views'));
  const assets = createAssets(join(PACKAGE_ROOT, 'public'));

  const helper = host.helper === null ? null : createHelper(host.helper);
  const machine = createMachine(
    helper,
    ['base', 'domains', 'tls', 'aliases', 'smarthost', 'relay', 'policy', 'exceptions', 'security'],
    { log },
  );
  const sources = [
    baseSource,
    domainsSource,
    recipientsSource,
    aliasesSource,
    tlsSource,
    smarthostSource,
    relaySource,
    fetchmailSource,
    policySource,
    exceptionsSource,
    securitySource,
  ];
  const saving = createChanges({ db, helper: host.helper, sources, log });
  const changes = adoptingFirst(saving, { db, helper }, [
    adoptQueries,
    adoptExceptions,
    adoptAliases,
  ]);
  const base = createBaseService({ db, changes, machine });
  const domains = createDomainsService({
    db,
    changes,
    machine,
    uses: [
      directoryUse(host.directory),
      (names) => aliases.losses(names),
      (names) => fetchmail.losses(names),
    ],
  });
  const tls = createTlsService({
    ...{ db, changes, machine, helper },
    certificates: () => host.certificates(),
  });
  const smarthost = createSmarthostService({
    ...{ db, changes, machine, helper },
    onSent: (recipient, actor) => guide.tested(recipient, actor),
  });
  const guide = createGuide({ db, log, directory: host.directory, domains, smarthost });
  const relay = createRelayService({ db, changes, machine, helper });
  const exceptions = createExceptionsService({ db, changes, machine });
  const policy = createPolicyService({ db, changes, machine, helper });
  const domainChecks = createDomainChecks({
    ...{ db, log, dns },
    serverName: () => serverName(machine),
    signing: createSigning(helper, log),
  });

  const worlds = createWorlds({
    ...{ helper, machine, directory: host.directory, log },
    localDomains: async (when) => (await domains.current(when)).domains.map(({ name }) => name),
  });
  const aliases = createAliasesService({
    ...{ db, changes, worlds },
    queriesFor: (names) => fetchmail.leadingTo(names),
  });
  const aliasWatch = createAliasWatch({ db, worlds, directory: host.directory, log });
  const aliasTransfer = createAliasTransfer({ db, changes, worlds, log });
  const route = createRouteService({ db, helper, worlds });
  const fetchmail = createFetchmailService({
    ...{ db, changes, helper, directory: host.directory },
    isAlias: async (name) => {
      const world = await worlds.now(db);
      return world.system.has(name) || (await world.aliases([name])).has(name);
    },
  });
  const recipients = createRecipientsService({
    ...{ db, changes, log, directory: host.directory },
    reachable: async () => (await machine.look(0)).failure === null,
  });
  const security = createSecurityService({ db, changes, machine, helper });
  const dailyRules = createDailyRules({ db, helper, log, proxy: () => host.proxy() });
  const queue = createQueueService({ db, helper, log });
  const bulk = createBulkService({ db, helper, machine, directory: host.directory, worlds, log });
  const queueWatch = createQueueWatch({ db, helper, log, onLarge: () => queue.foresee() });
  const trace = createTraceService({ helper, log });
  const quarantine = createQuarantineService({ db, helper, log });
  const holdings: readonly Holding[] = [
    createFormHolding('base', baseSchema),
    createFormHolding('tls', tlsSchema),
    createFormHolding('security', securitySchema),
    domainsHolding,
    createSmarthostHolding((secret, target) => smarthost.passwords.seal(secret, target)),
    relayHolding,
    aliasesHolding,
    createFetchmailHolding((secret, query) => fetchmail.sealPassword(secret, query)),
    createFormHolding('policy', policySchema),
    exceptionsHolding,
  ];
  const backup = createBackupService({ db, changes, machine, holdings });
  const takeover = createTakeoverService({ db, helper, changes, machine, holdings });
  const overview = createOverviewService({
    changes,
    machine,
    domains,
    checks: domainChecks,
    tls,
    policy,
    security,
    queue: queueWatch,
    fetchmail,
    aliases: aliasWatch,
    recipients,
    takeover,
    ...(patienceMs === undefined ? {} : { patienceMs }),
  });

  /** By table: how a secret that is typed anew for an undo is sealed to its row. */
  const sealers: SecretSealers = new Map([
    ['mail_settings', (row, secret) => smarthost.sealAgain(row, secret)],
    ['mail_fetch_queries', (row, secret) => fetchmail.sealAgain(row, secret)],
  ]);
  const web = createWeb({ host, i18n, views, assets, manifest, changes, machine });
  const router = Router();
  router.use(assets.router);
  router.use(formBody());
  overviewRoutes(router, web, { overview, guide, smarthost, changes, machine });
  guideRoutes(router, web, guide);
  divergenceRoutes(router, web, changes);
  baseRoutes(router, web, base, tls);
  domainsRoutes(router, web, domains, domainChecks);
  domainsRemoveRoutes(router, web, domains);
  domainsShowRoutes(router, web, domains, domainChecks);
  queueRoutes(router, web, queue);
  queueActRoutes(router, web, queue);
  queueJobsRoutes(router, web, queue);
  queueShowRoutes(router, web, queue);
  traceRoutes(router, web, trace);
  refusalsRoutes(router, web, trace);
  quarantineRoutes(router, web, quarantine);
  aliasesRoutes(router, web, aliases);
  aliasesTransferRoutes(router, web, aliasTransfer);
  aliasesEditRoutes(router, web, aliases);
  securityRoutes(router, web, security);
  routeRoutes(router, web, route);
  fetchmailRoutes(router, web, fetchmail);
  fetchmailEditRoutes(router, web, fetchmail);
  bulkEditRoutes(router, web, bulk);
  bulkRoutes(router, web, bulk);
  bulkActRoutes(router, web, bulk);
  const pagesOf = sectionPages(
    manifest,
    sources.map(({ section }) => section),
  );
  const differences = createDifferencesService({
    ...{ helper, changes, machine, holdings },
    tables: new Map(helper === null ? [] : [['aliases', createAliasTaker(helper)]]),
  });
  differencesRoutes(router, web, differences, pagesOf);
  takeoverRoutes(router, web, takeover, createFetchmailTakeover({ helper, fetchmail }), pagesOf);
  backupRoutes(router, web, backup, pagesOf);
  tlsRoutes(router, web, tls);
  smarthostRoutes(router, web, smarthost);
  relayRoutes(router, web, relay);
  relayRowRoutes(router, web, relay);
  policyRoutes(router, web, policy);
  exceptionsRoutes(router, web, exceptions);
  exceptionsEditRoutes(router, web, exceptions);
  historyRoutes(router, web, {
    changes,
    history: createHistoryService(changes),
    losses: (names) => domains.losses(names),
    pagesOf,
    sealAgain: sealAgainWith(sealers),
  });
  router.use(host.requireRole('mail.read'), () => {
    throw new NotFoundError('page');
  });
  router.use(errorPages(web));

  changes.onSettled(({ sections, result }) => {
    const only = (id: string): boolean => sections.every((one) => one === id);
    // No alias leads elsewhere for another mailbox to be fetched from, and nothing shows of it where Postfix stays as it is.
    const ofFetching = only('fetchmail') && result?.activation === 'none';
    // What pages show of the machine says nothing of single aliases, which are saved most often.
    if (!only('aliases') && !ofFetching) machine.forget();
    // Whoever saved is answered first: each look starts the helper.
    setImmediate(() => {
      if (!ofFetching) void aliasWatch.look();
      if (host.directory.kind === 'table') void recipients.look();
    });
  });

  /** A change that a crash left open. It must not keep the console from starting: it is tried again by itself. */
  const recover = async (): Promise<void> => {
    try {
      const { settled, divergence, waiting } = await changes.recover();
      log.info({ settled: settled?.number ?? null, divergence, waiting }, 'changes looked after');
    } catch (error) {
      log.error({ err: error }, 'changes could not be looked after at the start');
    }
  };

  return {
    router,
    start: async () => {
      await migrateMail(db);
      await Promise.race([recover(), sleep(recoverLimitMs, null, { ref: false })]);
      queueWatch.start();
      quarantine.start();
      dailyRules.start();
      await aliasTransfer.start();
      aliasWatch.start();
      recipients.start();
      bulk.start();
    },
    facts: async () => {
      const { domains: list, onlyLocalhost } = await domains.current();
      return { localDomain: !onlyLocalhost, localDomains: list.map(({ name }) => name) };
    },
    health: () => overview.health(),
    backup: () => backup.make({ sealed: true }),
    restore: async (text, actor) => (await backup.restoreText(text, actor)) !== null,
    close: async () => {
      await bulk.close();
      await queueWatch.close();
      await aliasWatch.close();
      await recipients.close();
      await aliasTransfer.close();
      await queue.close();
      await trace.close();
      await quarantine.close();
      await domainChecks.close();
      await dailyRules.close();
      await security.close();
      await smarthost.close();
      await fetchmail.close();
      await changes.close();
    },
  };
}

/** What the mail server says in HELO, as far as the helper tells. */
async function serverName(machine: Machine): Promise<string> {
  const { view } = await machine.look(SERVER_NAME_AGE_MS);
  return view?.serverName ?? '';
}
