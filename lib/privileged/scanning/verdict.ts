/** What amavis says of a mail when it is through with it, in its log (`$log_templ` of amavisd.conf). Pure. */

export interface Verdict {
  /** As amavis calls it: `CLEAN`, `SPAM`, `SPAMMY`, `INFECTED`, `UNCHECKED`, … */
  readonly category: string;
  /** Points; null when SpamAssassin was not asked. */
  readonly score: number | null;
}

const SAID = /\b(?:Passed|Blocked) ([A-Z][A-Z-]*)\b/;
const POINTS = /, Hits: (-?\d+(?:\.\d+)?)/;

/** The last there is; null as long as there is none. `messageId` with its angle brackets. */
export function verdictOf(lines: readonly string[], messageId: string): Verdict | null {
  const line = lines.findLast((one) => one.includes(`Message-ID: ${messageId}`) && SAID.test(one));
  if (line === undefined) return null;
  const score = POINTS.exec(line)?.[1];
  return {
    category: SAID.exec(line)?.[1] ?? '',
    score: score === undefined ? null : Number(score),
  };
}
