/** Made-up main.cf and master.cf as people have them: odd blanks, comments in old encodings, continued lines. */
import fc from 'fast-check';

/** Parameters that no section of ours has, with values Postfix can read. */
const FOREIGN: readonly string[] = [
  'smtpd_banner   =    $myhostname   ESMTP\t',
  'biff=no',
  'append_dot_mydomain =no',
  'smtpd_helo_restrictions =\n  permit_mynetworks,\n# a comment between, kept\n\n\treject_invalid_helo_hostname ,\n  permit',
  'header_checks = regexp:{{/^X-\\$(id)/ IGNORE}}',
  'foo_variable = one\nfoo_variable = two',
  `debug_peer_list = ${'host.example, '.repeat(400)}last.example`,
  'smtp_tls_security_level=may  ',
  'alias_database =\n  $alias_maps',
  'relayhost = [relay.example]:587',
  'compatibility_level = 3.6',
  'empty_address_recipient = MAILER-DAEMON',
];

/** Ours, each in spellings that `postconf` would not choose. */
const OURS: readonly (readonly string[])[] = [
  ['myhostname=mail.example.net', 'myhostname   =\n   mail.example.net\n'],
  ['message_size_limit =20000000', 'message_size_limit=\t0'],
  [
    'mydestination = $myhostname,\n\tfoo.example\n# within\n   bar.example,   Baz.EXAMPLE\n',
    'mydestination=localhost foo.example foo.example, hash:/etc/postfix/domains',
  ],
  ['mailbox_size_limit = 0'],
  ['luser_relay=  postmaster@$domain ', 'luser_relay = $user@other.example'],
  ['mailbox_command = procmail -a "$EXTENSION"'],
  ['home_mailbox =', 'home_mailbox=Maildir/'],
];

const NEWLINE = Buffer.from('\n');

const BETWEEN: readonly (string | Buffer)[] = [
  '',
  '   ',
  '\t',
  '# See /usr/share/postfix/main.cf.dist',
  '#myhostname = commented.example',
  '   # indented comment at the beginning of nothing',
  '# größer, mit Umlauten',
  Buffer.from('# gr\xf6\xdfer, in Latin-1', 'latin1'),
  Buffer.from([0x23, 0x20, 0xff, 0xfe, 0x80]),
  '# $(touch /tmp/canary) `id` ${x',
  '##########',
];

const SERVICES: readonly string[] = [
  'smtp      inet  n       -       n       -       -       smtpd',
  '127.0.0.1:smtp inet n - n - - smtpd\n  -o smtpd_client_restrictions=permit_mynetworks,reject\n# between\n  -o { smtpd_helo_restrictions = permit_mynetworks, reject }',
  'submission inet n       -       y       -       -       smtpd\n  -o syslog_name=postfix/submission\n  -o smtpd_tls_security_level=encrypt\n#  -o smtpd_sasl_auth_enable=yes',
  '#628       inet  n       -       y       -       -       qmqpd',
  'pickup    unix  n       -       n       60      1       pickup   ',
  'maildrop  unix  -       n       n       -       -       pipe\n  flags=DRXhu user=vmail argv=/usr/bin/maildrop -d ${recipient}',
  'uucp unix - n n - - pipe flags=Fqhu user=uucp argv=uux -r -n -z -a$sender - $nexthop!rmail ($recipient)',
  'tlsmgr\tunix\t-\t-\tn\t1000?\t1\ttlsmgr',
];

/** The pieces in some order, some of them, with an end that editors leave. */
function shuffled(pieces: readonly (string | Buffer)[]): fc.Arbitrary<Buffer> {
  return fc
    .tuple(fc.shuffledSubarray([...pieces], { minLength: 3 }), fc.constantFrom('', '\n', '\n\n\n'))
    .map(([parts, end]) => {
      const lines = parts.map((part) => Buffer.from(part as string));
      return Buffer.concat([
        ...lines.flatMap((line) => [line, NEWLINE]).slice(0, -1),
        Buffer.from(end),
      ]);
    });
}

/** `first` are lines the file begins with. */
function after(first: readonly string[], rest: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  return rest.map((body) =>
    Buffer.concat([Buffer.from(first.map((line) => `${line}\n`).join('')), body]),
  );
}

export function mainCf(first: readonly string[] = []): fc.Arbitrary<Buffer> {
  const ours = fc.tuple(...OURS.map((spellings) => fc.constantFrom(...spellings)));
  return after(
    first,
    ours.chain((chosen) => shuffled([...FOREIGN, ...chosen, ...BETWEEN])),
  );
}

export function masterCf(first: readonly string[] = []): fc.Arbitrary<Buffer> {
  return after(first, shuffled([...SERVICES, ...BETWEEN]));
}

/**
 * What is not ours: every physical line but those that begin, or go on with, one of the names. Comments and empty lines
 * belong to nobody. Latin-1, so that every byte is one character.
 */
export function foreignLines(content: Buffer, ours: (logicalLine: string) => boolean): string[] {
  const text = content.toString('latin1');
  const lines = (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n');
  let within = false;
  return lines.filter((line) => {
    const free = line.trim() === '' || line.trimStart().startsWith('#');
    if (free) return true;
    if (!/^\s/.test(line)) within = ours(line);
    return !within;
  });
}
