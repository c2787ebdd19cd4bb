/** What lines of the mail log say of the messages of one mailing. Pure. */
import {
  MAX_REPLY_CHARS,
  numberFinder,
  type FollowedId,
  type FollowEvent,
  type FollowKind,
  type MailingIdentity,
} from '../../bulk/schema.js';

/** Somebody whose message may have got through although its line with the message id was never written. */
export interface Missed {
  readonly sender: string;
  /** Numbers by address, in lower case. */
  readonly recipients: ReadonlyMap<string, number>;
}

const ID = /^([0-9A-Za-z]{6,41}): /;
const STATUS = /, status=([a-z]+) \((.*)\)$/;
/** A filter took the message and gave it to nobody. */
const SWALLOWED = /\b(?:discarded|quarantined?)\b/i;

export class LogScan {
  readonly events: FollowEvent[] = [];
  /**
   * Postfix was started although it had not said that it ends, and somebody was connected: what was said last may never have
   * been written. A session's end is written after all that it did.
   */
  crashed = false;
  #stopped = false;
  readonly #sessions = new Set<string>();
  readonly #numbers: Map<string, number>;
  readonly #find: (text: string) => number | null;
  /** Ids whose line with the message id was seen: whose they are is known. */
  readonly #named = new Set<string>();
  /** Ids without such a line, from the sender of the mailing. */
  readonly #nameless = new Set<string>();

  constructor(
    private readonly of: MailingIdentity,
    followed: readonly FollowedId[],
    private readonly missed: Missed | null,
  ) {
    this.#numbers = new Map(followed);
    this.#find = numberFinder(of);
  }

  /** `program` as it stands in the log: `postfix/qmgr`. */
  take(program: string, pid: string, text: string): void {
    const name = program.slice(program.lastIndexOf('/') + 1);
    if (name === 'smtpd') {
      if (text.startsWith('disconnect from ')) this.#sessions.delete(pid);
      else this.#sessions.add(pid);
    }
    if (name === 'master' || name === 'postfix-script') this.#lookAtMaster(text);
    const id = ID.exec(text)?.[1];
    if (id === undefined) return;
    const said = text.slice(id.length + 2);
    if (name === 'cleanup') {
      this.#lookAtId(id, said);
      return;
    }
    const no = this.#numbers.get(id) ?? this.#lookAtNameless(id, name, said);
    if (no !== undefined) this.#tell(no, id, name, said);
  }

  #lookAtMaster(text: string): void {
    if (/^(?:terminating on signal|stopping the Postfix mail system)/.test(text)) {
      this.#stopped = true;
    } else if (text.startsWith('daemon started')) {
      this.crashed ||= !this.#stopped && this.#sessions.size > 0;
      this.#stopped = false;
      this.#sessions.clear();
    }
  }

  #lookAtId(id: string, said: string): void {
    if (!said.startsWith('message-id=')) return;
    if (this.missed) this.#named.add(id);
    const no = said.includes(this.of.key) ? this.#find(said) : null;
    // A short queue id is given again once its message has gone: from here on it is another one's.
    this.#numbers.delete(id);
    this.#nameless.delete(id);
    if (no === null) return;
    this.#numbers.set(id, no);
    this.#add(no, 'known', id);
  }

  /** Sender and recipient tell whose it is where the message id was not written. */
  #lookAtNameless(id: string, name: string, said: string): number | undefined {
    const { missed } = this;
    if (!missed || this.#named.has(id)) return undefined;
    if (name === 'qmgr' && said.startsWith(`from=<${missed.sender}>,`)) this.#nameless.add(id);
    if (!this.#nameless.has(id)) return undefined;
    const [, to = '', , original = to] = /^to=<([^>]*)>(, orig_to=<([^>]*)>)?/.exec(said) ?? [];
    const no = missed.recipients.get(original.toLowerCase());
    if (no === undefined) return undefined;
    this.#numbers.set(id, no);
    this.#add(no, 'known', id);
    this.#add(no, 'queued', id);
    return no;
  }

  #tell(no: number, id: string, name: string, said: string): void {
    if (name === 'postsuper') {
      if (said.startsWith('removed')) this.#add(no, 'deleted', id);
      return;
    }
    if (name === 'qmgr') {
      if (said.startsWith('removed')) this.#add(no, 'removed', id);
      else if (/^from=<.*>, status=expired,/.test(said)) this.#add(no, 'bounced', id);
      else if (said.startsWith('from=<')) this.#add(no, 'queued', id);
      if (!said.startsWith('to=<')) return;
    }
    const [, status = '', reply = ''] = STATUS.exec(said) ?? [];
    if (!said.startsWith('to=<') || status === '') return;
    if (status === 'sent') this.#add(no, SWALLOWED.test(reply) ? 'bounced' : 'sent', id, reply);
    else if (status === 'deferred') this.#add(no, 'deferred', id, reply);
    else if (status === 'bounced' || status === 'expired') this.#add(no, 'bounced', id, reply);
  }

  #add(no: number, kind: FollowKind, id: string, reply = ''): void {
    this.events.push([no, kind, id, reply.slice(0, MAX_REPLY_CHARS)]);
  }
}
