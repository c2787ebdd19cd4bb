/** The systemd units of console, helper, fetcher and block lists, and what we add to postgrey's. Pure: programs in, text out. */
import type { Installation } from './installation.js';
import { BLOCK_LISTS_FILE, POSTGREY_FILE } from '../policy/places.js';
import { CONSOLE_NODE_OPTIONS, MAX_CONSOLE_MIB } from './console-memory.js';
import { STANDBY_TIMEOUT_MS } from '../privileged/protocol.js';
import { CONSOLE_USER, FETCH_USER, HELPER_GROUP, PROXY_GROUP, type Places } from './places.js';

export const HELPER_SOCKET_UNIT = 'mailserver-helper.socket';
export const CONSOLE_UNIT = 'mailserver-console.service';
export const FETCHER_UNIT = 'mailserver-fetch.service';
/** Enabled and started by the helper when block lists are switched on, and stopped when the last one goes. */
export const BLOCK_LISTS_UNIT = 'mailserver-block-lists.service';

/** Requests the helper serves at once; a console that goes wild must not fill the memory (40 MB each). */
const MAX_HELPERS = 32;
/** What one request may take of memory, and of processes: a Postfix to try things on may be among them. */
const MAX_HELPER_MEMORY = '1G';
const MAX_HELPER_TASKS = 512;
const MAX_CONSOLE_TASKS = 128;
/** The fetcher itself takes 60 MB, each fetch under way 10 MB. */
const MAX_FETCHER_MEMORY = '1G';
const MAX_FETCHER_TASKS = 512;
/** Nothing the helper does takes longer, in seconds; before it, it may have waited for its request. */
const LONGEST_REQUEST_SECONDS = 3600 + STANDBY_TIMEOUT_MS / 1_000;

/** What neither of the two needs (systemd.exec(5)). */
const COMMON_HARDENING = `\
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectSystem=strict
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictRealtime=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
`;

/** File name in /etc and its content. */
export type UnitFiles = Readonly<Record<string, string>>;

export function renderUnits(
  places: Places,
  { node, current }: Pick<Installation, 'node' | 'current'>,
  settingsFile: string,
): UnitFiles {
  const program = (path: string, options: readonly string[] = ['--enable-source-maps']): string =>
    [node, ...options, `${current}/dist/lib/${path}`].join(' ');
  return {
    'tmpfiles.d/mailserver.conf': `\
# The way to the privileged helper: for the console's group alone.
d /run/mailserver 0750 root ${HELPER_GROUP} -
# Keys, record and journal of the helper.
d ${places.stateDir} 0700 root root -
# The console's socket for a reverse proxy in front of it.
d ${places.proxyFolder} 2750 ${CONSOLE_USER} ${PROXY_GROUP} -
`,

    [`systemd/system/${HELPER_SOCKET_UNIT}`]: `\
[Unit]
Description=Way to the privileged helper of the mailserver console

[Socket]
ListenStream=${places.helperSocket}
SocketUser=root
SocketGroup=${HELPER_GROUP}
SocketMode=0660
Accept=yes
MaxConnections=${MAX_HELPERS}
# Many short requests are normal; the limit of connections is enough.
TriggerLimitIntervalSec=0
RemoveOnStop=yes

[Install]
WantedBy=sockets.target
`,

    'systemd/system/mailserver-helper@.service': `\
[Unit]
Description=Privileged helper of the mailserver console, one request
CollectMode=inactive-or-failed

[Service]
ExecStart=${node} ${current}/dist/lib/privileged/main.js
StandardInput=socket
StandardOutput=socket
StandardError=journal
RuntimeMaxSec=${LONGEST_REQUEST_SECONDS}
MemoryMax=${MAX_HELPER_MEMORY}
TasksMax=${MAX_HELPER_TASKS}
${COMMON_HARDENING}\
# It writes the mail system's configuration, queue and log, and checks what it made in a mount namespace of its own. That
# needs folders with the set-group-id bit as Postfix' own queue has them: no RestrictSUIDSGID here.
ReadWritePaths=/etc /run /var
# Whether a person has a home and a .forward decides where mail goes.
ProtectHome=read-only
RestrictNamespaces=mnt pid
# CAP_SYS_PTRACE: which connections Postfix has open tells whether a mail that was cut off may still become one.
CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_NET_BIND_SERVICE CAP_SETGID CAP_SETUID CAP_SYS_ADMIN CAP_SYS_CHROOT CAP_SYS_PTRACE
SystemCallFilter=@system-service @mount
`,

    [`systemd/system/${CONSOLE_UNIT}`]: `\
[Unit]
Description=Mailserver console
Wants=${HELPER_SOCKET_UNIT}
After=network.target ${HELPER_SOCKET_UNIT} postgresql.service
# However long its database is away.
StartLimitIntervalSec=0

[Service]
Type=exec
User=${CONSOLE_USER}
Group=${HELPER_GROUP}
Environment=NODE_ENV=production
Environment=MAILSERVER_STATE=${places.consoleState}
Environment=MAILSERVER_HELPER_SOCKET=${places.helperSocket}
EnvironmentFile=${settingsFile}
ExecStart=${program('console/main.js', CONSOLE_NODE_OPTIONS)}
Restart=on-failure
RestartSec=2
TimeoutStopSec=30
StateDirectory=mailserver-console
StateDirectoryMode=0700
MemoryMax=${MAX_CONSOLE_MIB}M
TasksMax=${MAX_CONSOLE_TASKS}
${COMMON_HARDENING}\
CapabilityBoundingSet=
ProtectHome=yes
ProtectProc=invisible
ReadWritePaths=-${places.proxyFolder}
RemoveIPC=yes
RestrictNamespaces=yes
RestrictSUIDSGID=yes
SystemCallFilter=@system-service
SystemCallFilter=~@privileged

[Install]
WantedBy=multi-user.target
`,

    [`systemd/system/${FETCHER_UNIT}`]: `\
[Unit]
Description=Mailserver console, mail from other providers
After=network-online.target postfix.service
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
User=${FETCH_USER}
Group=${FETCH_USER}
Environment=NODE_ENV=production
ExecStart=${program('fetcher/main.js')}
Restart=always
RestartSec=2
# A fetch under way logs out of the mailbox first.
TimeoutStopSec=20
StateDirectory=mailserver-fetch
StateDirectoryMode=0700
MemoryMax=${MAX_FETCHER_MEMORY}
TasksMax=${MAX_FETCHER_TASKS}
${COMMON_HARDENING}\
CapabilityBoundingSet=
ProtectHome=yes
RestrictNamespaces=yes
RestrictSUIDSGID=yes
SystemCallFilter=@system-service
SystemCallFilter=~@privileged

[Install]
WantedBy=multi-user.target
`,

    [`systemd/system/${BLOCK_LISTS_UNIT}`]: `\
[Unit]
Description=Mailserver console, DNS block lists for Postfix
After=network.target
Before=postfix.service
ConditionPathExists=${BLOCK_LISTS_FILE}
StartLimitIntervalSec=0

[Service]
Type=exec
DynamicUser=yes
Environment=NODE_ENV=production
ExecStart=${program('block-lists/main.js')} ${BLOCK_LISTS_FILE}
Restart=always
RestartSec=2
MemoryMax=256M
${COMMON_HARDENING}\
CapabilityBoundingSet=
ProtectHome=yes
RestrictNamespaces=yes
RestrictSUIDSGID=yes
SystemCallFilter=@system-service
SystemCallFilter=~@privileged

[Install]
WantedBy=multi-user.target
`,

    // Its options, where the settings say some; else those of its package hold.
    'systemd/system/postgrey.service.d/mailserver.conf': `\
[Service]
EnvironmentFile=-${POSTGREY_FILE}
`,
  };
}
