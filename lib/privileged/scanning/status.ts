/** The chain of the scanners as it is now, link by link. Nothing here waits for a network or starts anything. */
import { existsSync } from 'node:fs';
import type { PolicySettings } from '../../policy/schema.js';
import type { SecuritySettings } from '../../security/schema.js';
import { contentFilter, SCAN_TRANSPORT } from '../../security/section.js';
import { scanExpectationOf } from '../apply/scan-proof.js';
import { readMemory } from '../memory.js';
import type { Paths } from '../paths.js';
import { readConfig } from '../postfix/config-view.js';
import { daemonOf } from '../services/daemons.js';
import { AMAVIS, askClamd, CLAMD, FRESHCLAM, greets, mayRead } from '../services/scanners.js';
import { readState } from '../state.js';
import { listenersPastScanners } from './bypass.js';
import { hasRules, readRules, readSignatures } from './data.js';
import { isMember } from './group.js';
import { policyLinks } from './policy-links.js';

/** SpamAssassin runs within amavis; its program is what its package brings. */
const SPAMASSASSIN = '/usr/bin/spamassassin';
/** Without it amavis takes archives apart with cpio, which can be led to write anywhere (CVE-2022-41352). */
const PAX = ['/usr/bin/pax', '/bin/pax'];

export async function scannerStatus(paths: Paths) {
  const [state, view] = await Promise.all([readState(paths), readConfig(paths.configDir, paths)]);
  const settings = (state.sections['security'] as SecuritySettings | undefined) ?? null;
  const on = settings !== null && (settings.spam || settings.virus);
  const [amavis, clamd, freshclam] = await Promise.all(
    [AMAVIS, CLAMD, FRESHCLAM].map(async (definition) => {
      const daemon = daemonOf(definition, paths);
      if (!daemon.installed()) return { installed: false, running: false, atBoot: false };
      const [running, atBoot] = await Promise.all([daemon.running(), daemon.enabledAtBoot()]);
      return { installed: true, running, atBoot };
    }),
  );
  const scan = scanExpectationOf(view, {
    spam: settings?.spam ?? false,
    virus: settings?.virus ?? false,
    before: settings?.place === 'before',
  });
  const [answers, greeted, signatures, rules, packagedRules, access, policy, memory] =
    await Promise.all([
      askClamd(paths, 'PING').catch(() => ''),
      on ? Promise.all([...scan.amavis, ...scan.back].map(greets)) : [],
      readSignatures(paths),
      readRules(paths),
      hasRules(),
      Promise.all([isMember(paths), mayRead(paths)]),
      policyLinks(state.sections['policy'] as PolicySettings | undefined, view, paths),
      readMemory(),
    ]);
  const filter = view.parameter('content_filter');
  return {
    /** What was applied last; null while nothing was. */
    settings,
    memory,
    policy,
    spamassassin: { installed: existsSync(SPAMASSASSIN), rules, hasRules: packagedRules },
    clamav: {
      ...(clamd ?? NOTHING),
      answers: answers === 'PONG',
      signatures,
      /** Whether it may read what amavis takes apart. */
      member: access.every(Boolean),
    },
    freshclam: freshclam ?? NOTHING,
    amavis: {
      ...(amavis ?? NOTHING),
      answers: on && greeted.slice(0, scan.amavis.length).every(Boolean),
      pax: PAX.some((file) => existsSync(file)),
    },
    postfix: {
      /** Whether mail goes to amavis, and somewhere else, that somebody set by hand. */
      hands: filter === contentFilter(view, 'amavisIn') && listenersPastScanners(view).length === 0,
      elsewhere: filter !== '' && !filter.startsWith(`${SCAN_TRANSPORT}:`),
      takesBack: on && greeted.slice(scan.amavis.length).every(Boolean),
    },
  };
}

const NOTHING = { installed: false, running: false, atBoot: false };

export type ScannerStatus = Awaited<ReturnType<typeof scannerStatus>>;
