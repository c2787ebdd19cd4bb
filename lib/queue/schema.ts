/** What both sides say about the queue: its names, a message of it, what can be done with one. */
/** Where a message can wait. `corrupt` is only counted: Postfix itself lists nothing of it. */
export const QUEUES = ['maildrop', 'incoming', 'active', 'deferred', 'hold'] as const;
export type QueueName = (typeof QUEUES)[number];

/** What can be done with messages. `deliver` tries at once, `requeue` sends them through the whole server anew. */
export const QUEUE_ACTIONS = ['delete', 'deliver', 'hold', 'release', 'requeue'] as const;
export type QueueAction = (typeof QUEUE_ACTIONS)[number];

/** Recipients of one message that a listing shows, with their reasons. More are counted. */
export const MAX_LISTED_RECIPIENTS = 20;
/** What is kept of one reason in a listing, in characters. */
export const MAX_LISTED_REASON_LENGTH = 400;
/** Most messages that one request may act on. */
export const MAX_ACT_IDS = 500_000;
/** Most ids in one item of a request that acts. */
export const MAX_ITEM_IDS = 1_000;
/** Failures that are told one by one; more are counted. */
export const MAX_TOLD_FAILURES = 50;
/** Recipients that the page of one message shows; more are counted. */
export const MAX_SHOWN_RECIPIENTS = 1_000;
/** Lines of the log that the page of one message shows, the newest. */
export const MAX_LOG_LINES = 200;
/** Parts behind what is read that are looked for; attachments beyond are not listed. */
export const MAX_LATER_PARTS = 200;
/** What is read of a message to show it, in bytes. */
export const MAX_SHOWN_BYTES = 256 * 1024;

/** An address, and why it waits; '' when nothing was tried yet. */
export type QueueRecipient = readonly [address: string, reason: string];

/** One message as a listing tells it. */
export interface QueueRow {
  readonly id: string;
  readonly queue: QueueName;
  /** Seconds since 1970. */
  readonly arrival: number;
  /** When it was queued: later than `arrival` for a message that was queued anew. From then on Postfix counts its days. */
  readonly created: number;
  /** Of the content, in bytes. */
  readonly size: number;
  /** '' for the null sender of bounces and notices. */
  readonly sender: string;
  /** Postfix was told to give up at the next try (`postsuper -e`). */
  readonly expired: boolean;
  /** From when the queue manager tries again, in seconds since 1970; 0 when it does not wait for a time. */
  readonly nextTry: number;
  readonly recipients: readonly QueueRecipient[];
  /** Recipients beyond `MAX_LISTED_RECIPIENTS`. */
  readonly moreRecipients: number;
}

/** How long Postfix tries, and how often, in seconds (postconf(5)). */
export interface QueueSchedule {
  readonly maximalQueueLifetime: number;
  /** The same for mail from the null sender. */
  readonly bounceQueueLifetime: number;
  readonly minimalBackoff: number;
  readonly maximalBackoff: number;
  readonly queueRunDelay: number;
}

export type QueueCounts = Readonly<Record<QueueName | 'corrupt', number>>;

/** Room where the queue lies, in bytes. */
export interface QueueDisk {
  readonly free: number;
  readonly total: number;
  /** Below this Postfix refuses mail: `queue_minfree`, at least 1.5 × `message_size_limit` (smtpd(8)). */
  readonly needed: number;
}

export interface ShownRecipient {
  readonly address: string;
  /** The address before aliases and rewriting; '' when it is the same. */
  readonly original: string;
  /** Delivered, or given up with a notice to the sender. */
  readonly settled: boolean;
  readonly reason: string;
  /** Enhanced status code of the reason, such as `4.2.2`; '' without one. */
  readonly status: string;
  /** The server that gave the reason; '' when none was reached. */
  readonly server: string;
}

export interface QueueEnvelope {
  /** '' for the null sender. */
  readonly sender: string;
  /** Seconds since 1970. */
  readonly arrival: number;
  /** When it was queued: later than `arrival` for a message that was queued anew. */
  readonly created: number;
  readonly recipients: readonly ShownRecipient[];
  readonly moreRecipients: number;
  /** Who handed the message in; '' when it came from this machine's own programs. */
  readonly clientName: string;
  readonly clientAddress: string;
  /** The account it was handed in with; '' without a login. */
  readonly login: string;
}

/** A line of a long message that looks like the border of a part, with the lines after it up to an empty one. */
export interface LaterPart {
  /** Where it stands in the content, in bytes. */
  readonly at: number;
  /** One character a byte. */
  readonly lines: string;
}

/** One message as its page shows it. */
export interface ShownMessage {
  readonly id: string;
  readonly queue: QueueName;
  /** Seconds since 1970; 0 when it does not wait for a time. */
  readonly nextTry: number;
  readonly envelope: QueueEnvelope;
  /** The first `MAX_SHOWN_BYTES` of the content, base64. */
  readonly head: string;
  /** Length of the whole content, in bytes. */
  readonly bytes: number;
  /** What looks like parts behind `head`. */
  readonly later: readonly LaterPart[];
  readonly schedule: QueueSchedule;
}

/** What there is of a message: its lines in the log also when it has left the queue. */
export interface LookedAt {
  readonly message: ShownMessage | null;
  readonly log: readonly string[];
}

export interface ActFailure {
  readonly id: string;
  /** `held`: a message on hold is not delivered; `stays`: it is there after all; `tool`: what the tool said. */
  readonly why: 'held' | 'stays' | 'tool';
  readonly detail: string;
}

export interface ActResult {
  /** Messages it was done with. */
  readonly done: number;
  /** Messages that already were as asked (on hold, not on hold). */
  readonly unchanged: number;
  /** Messages that had left the queue before. */
  readonly gone: number;
  readonly failed: number;
  /** The first `MAX_TOLD_FAILURES` of them. */
  readonly failures: readonly ActFailure[];
  readonly cancelled: boolean;
}
