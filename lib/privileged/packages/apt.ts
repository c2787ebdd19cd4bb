/** What apt says it would install, read from its own words (apt-get(8) `-s`, apt-cache(8) `show`). Pure. */

export interface WouldInstall {
  readonly name: string;
  readonly version: string;
}

/** New packages and newer versions, in the order in which apt has them. */
export function readSimulation(text: string): readonly WouldInstall[] {
  return [...text.matchAll(/^Inst ([a-z0-9][a-z0-9.+:-]*) (?:\[[^\]]*\] )?\((\S+) /gm)].map(
    ([, name = '', version = '']) => ({ name, version }),
  );
}

export interface PackageSize {
  /** Bytes. */
  readonly download: number;
  readonly installed: number;
}

/** By `name=version`. */
export function readSizes(text: string): ReadonlyMap<string, PackageSize> {
  const sizes = new Map<string, PackageSize>();
  for (const stanza of text.split(/\n\n+/)) {
    const field = (name: string): string =>
      new RegExp(`^${name}: (.*)$`, 'm').exec(stanza)?.[1]?.trim() ?? '';
    const download = Number(field('Size')) || 0;
    const installed = (Number(field('Installed-Size')) || 0) * 1024;
    const key = `${field('Package')}=${field('Version')}`;
    if (!sizes.has(key)) sizes.set(key, { download, installed });
  }
  return sizes;
}

/** Which of its three steps with a package a line tells; null for any other line. */
export function readStep(line: string): 'fetch' | 'unpack' | 'setUp' | null {
  if (/^Get:\d+ \S+ \S+ \S+ \S+ \S+ \S+ \[/.test(line)) return 'fetch';
  if (line.startsWith('Unpacking ')) return 'unpack';
  return line.startsWith('Setting up ') ? 'setUp' : null;
}
