/**
 * Postfix' own report of what it would do with a message (sendmail(1), -bv): every delivery agent is asked up to the
 * point where it would deliver. Servers outside are asked whether they would take it; no message is sent to anybody.
 */
import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { HelperError } from '../../errors.js';
import type { ReportLine, RouteReport } from '../../route/schema.js';
import { openMailLog } from '../mail-log.js';
import { runNative } from '../native.js';
import type { Paths } from '../paths.js';
import { readConfig } from '../postfix/config-view.js';

const SENDMAIL = '/usr/sbin/sendmail';
/** How long servers outside have to answer, in milliseconds. */
const REPORT_LIMIT_MS = 25_000;
const LOOK_EVERY_MS = 100;

/** Throws at stage `run`. */
export async function reportRoute(address: string, paths: Paths): Promise<RouteReport> {
  const log = await openMailLog(await readConfig(paths.configDir, paths), paths);
  if (!log) throw failed('helper.run.noLog', '');
  const sender = markedSender();
  const args = ['-C', paths.configDir, '-bv', '-f', sender, '--', address];
  const asked = await runNative(SENDMAIL, args, { environment: { MAIL_CONFIG: paths.configDir } });
  if (asked.code !== 0) throw failed('helper.run.report', asked.stderr);
  for (const end = Date.now() + REPORT_LIMIT_MS; ; await sleep(LOOK_EVERY_MS)) {
    const report = readReport(await log.lines(), sender);
    if (report.complete || Date.now() > end) return report;
  }
}

/**
 * To this sender Postfix sends no report by mail (bounce(8)), whatever its letters' case; by which ours are told from
 * those of others in the log.
 */
function markedSender(): string {
  return Array.from('double-bounce', (sign) =>
    randomInt(2) === 0 ? sign : sign.toUpperCase(),
  ).join('');
}

/** What the log says of the request that came with this sender. */
export function readReport(lines: readonly string[], sender: string): RouteReport {
  const first = lines
    .flatMap((line) => {
      const match = /pickup\[\d+\]: ([0-9A-Za-z]+): uid=\d+ from=<([^>]*)>/.exec(line);
      return match?.[2] === sender ? [match[1] ?? ''] : [];
    })
    .at(0);
  if (first === undefined) return { lines: [], complete: false };
  const own = lines.filter((line) => line.includes(`]: ${first}: `));
  const pattern = /: to=<(.*?)>,(?: orig_to=<(.*?)>,)? relay=(\S+),.* status=(\w+) \((.*)\)$/;
  const found = own.flatMap((line): ReportLine[] => {
    const match = pattern.exec(line);
    if (!match) return [];
    const [, address = '', original = '', relay = '', status = '', text = ''] = match;
    const deliverable = status === 'deliverable';
    return [{ address, original, relay: relay === 'none' ? '' : relay, deliverable, text }];
  });
  return { lines: found, complete: own.some((line) => line.endsWith(': removed')) };
}

function failed(key: string, detail: string): HelperError {
  return new HelperError({ stage: 'run', key, values: {}, detail, restored: true });
}
