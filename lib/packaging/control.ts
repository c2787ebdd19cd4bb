/** What dpkg wants to know of the package (deb-control(5)). Pure. */
import { PACKAGE_NAME } from '../launch/debian-package.js';

export interface ControlFacts {
  readonly version: string;
  /** As Debian calls it: `amd64`. */
  readonly architecture: string;
  /** Who stands behind this build: `Name <address>`. */
  readonly maintainer: string;
  /** KiB. */
  readonly installedSize: number;
  /** Debian packages without which nothing works. */
  readonly depends: readonly string[];
  /** What it looks after where it is installed. */
  readonly suggests: readonly string[];
}

/** On every Debian, and not to be named (Debian policy 3.5). */
const ESSENTIAL = ['util-linux'];

/** What the bundled Node is linked with, systemd for the services, dpkg's way to them. */
const PLATFORM = [
  'init-system-helpers (>= 1.54)',
  'libc6 (>= 2.28)',
  'libgcc-s1',
  'libstdc++6',
  'systemd',
];

export function renderControl(facts: ControlFacts): string {
  const depends = [...facts.depends.filter((name) => !ESSENTIAL.includes(name)), ...PLATFORM];
  return `\
Package: ${PACKAGE_NAME}
Version: ${facts.version}
Architecture: ${facts.architecture}
Maintainer: ${facts.maintainer}
Installed-Size: ${facts.installedSize}
Depends: ${depends.sort().join(', ')}
Suggests: ${[...facts.suggests].sort().join(', ')}
Section: admin
Priority: optional
Description: console that looks after the mail server of this machine
 Pages for people who look after mail an hour a month: domains, smarthost,
 aliases, mail from other providers, the queue, encryption and more, of the
 real Postfix of this machine. Every save is checked, activated, proved and
 put back when it fails; nothing that was set up by hand is overwritten.
 .
 The console runs without rights and asks a privileged helper for settings
 only. It brings its own database and the Node.js it was tested with.
 Removing this package leaves Postfix as it is, with all settings.
`;
}
