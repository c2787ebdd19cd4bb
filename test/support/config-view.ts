/** A configuration as `postconf` would tell it, made up for tests of what is pure. */
import { pathsBelow } from '../../lib/privileged/paths.js';
import { MACHINE_PORTS } from '../../lib/privileged/ports.js';
import type { ConfigView } from '../../lib/privileged/postfix/config-view.js';

/** Defaults of postconf(5) that the sections look at. */
const DEFAULTS: Readonly<Record<string, string>> = {
  mail_version: '3.7.11',
  myhostname: 'machine.example',
  mydestination: '$myhostname, localhost.$mydomain, localhost',
  message_size_limit: '10240000',
  mailbox_size_limit: '51200000',
  virtual_mailbox_limit: '51200000',
  local_recipient_maps: 'proxy:unix:passwd.byname $alias_maps',
};

/** `set` is what main.cf says, `services` the lines of master.cf as `postconf -M` prints them. */
export function configView(
  set: Readonly<Record<string, string>> = {},
  services: readonly string[] = [],
): ConfigView {
  const master = services.map((line) => {
    const [name = '', type = ''] = line.split(' ');
    return { name: `${name}/${type}`, line };
  });
  return {
    parameter: (name) => set[name] ?? DEFAULTS[name] ?? '',
    isSet: (name) => Object.hasOwn(set, name),
    masterService: (name) => master.find((entry) => entry.name === name)?.line ?? null,
    paths: pathsBelow('/root-of-tests'),
    port: (name) => MACHINE_PORTS[name],
    postfixVersion: DEFAULTS['mail_version'] ?? '',
    set: new Map(Object.entries(set)),
    master,
    warnings: '',
    directive: () => null,
  };
}
