/**
 * A picture of the whole queue, compact enough for 100,000 messages: columns of numbers and texts as bytes, never rows
 * as objects. Filled once from the helper's listing, then only read.
 */
import { bytesColumn, numbersColumn, Texts } from './arena.js';
import { causePosition, CAUSE_IDS, type Cause } from './causes.js';
import { classify } from './classify.js';
import {
  QUEUES,
  type QueueCounts,
  type QueueDisk,
  type QueueRow,
  type QueueSchedule,
} from './schema.js';

/** Bytes of addresses and reasons a picture may hold; of messages beyond it only the cause is known. */
export const MAX_TEXT_BYTES = 24 * 1024 * 1024;
/** Messages a picture may hold; more are counted, but neither sorted nor grouped. */
export const MAX_PICTURE_MESSAGES = 300_000;

/** Classes of reasons that are remembered while a picture is filled. */
const MAX_KNOWN_REASONS = 5_000;

const EXPIRED = 0x10;
const REMOVED = 0x20;
const QUEUE_MASK = 0x0f;

/** What the helper told along with the rows. */
export interface PictureFrame {
  readonly counts: QueueCounts;
  readonly schedule: QueueSchedule;
  readonly disk: QueueDisk;
}

/** One message as a page shows it, with the cause of each recipient. */
export interface PicturedMessage extends QueueRow {
  readonly causes: readonly Cause[];
}

/** Numbers of destinations, senders and causes, for filters and groups. */
export class Picture {
  readonly #ids = new Texts(MAX_TEXT_BYTES);
  readonly #senders = new Texts(MAX_TEXT_BYTES / 3);
  readonly #addresses = new Texts(MAX_TEXT_BYTES / 3);
  readonly #reasons = new Texts(MAX_TEXT_BYTES / 2);
  readonly #domains = new Texts(MAX_TEXT_BYTES / 6);
  readonly #state = bytesColumn();
  readonly #arrival = numbersColumn();
  readonly #created = numbersColumn();
  readonly #size = numbersColumn();
  readonly #nextTry = numbersColumn();
  readonly #sender = numbersColumn();
  readonly #causes = numbersColumn();
  readonly #more = numbersColumn();
  /** Where the recipients of a message begin in the three columns below. */
  readonly #first = numbersColumn();
  readonly #address = numbersColumn();
  readonly #reason = numbersColumn();
  readonly #domain = numbersColumn();
  readonly #columns = [
    this.#state,
    this.#arrival,
    this.#created,
    this.#size,
    this.#nextTry,
    this.#sender,
    this.#causes,
    this.#more,
    this.#first,
    this.#address,
    this.#reason,
    this.#domain,
  ] as const;
  #known: Map<string, readonly [reason: number, cause: number]> | null = new Map();
  /** Cause of each kept reason, by its number. */
  readonly #reasonCause = bytesColumn();
  #removed = 0;
  #leftOut = 0;

  /** Messages in it, without those that were removed since. */
  get size(): number {
    return this.#state.length - this.#removed;
  }

  /** Rows, removed ones included: their numbers run from 0 to this. */
  get rows(): number {
    return this.#state.length;
  }

  /** Messages beyond `MAX_PICTURE_MESSAGES`. */
  get leftOut(): number {
    return this.#leftOut;
  }

  get destinations(): number {
    return this.#domains.count;
  }

  get senders(): number {
    return this.#senders.count;
  }

  get addresses(): number {
    return this.#addresses.count;
  }

  add(message: QueueRow): void {
    if (this.rows >= MAX_PICTURE_MESSAGES) {
      this.#leftOut += 1;
      return;
    }
    this.#ids.add(message.id);
    this.#state.push(QUEUES.indexOf(message.queue) | (message.expired ? EXPIRED : 0));
    this.#arrival.push(message.arrival);
    this.#created.push(message.created);
    this.#size.push(Math.min(message.size, 0xffff_ffff));
    this.#nextTry.push(message.nextTry);
    this.#sender.push(this.#senders.intern(message.sender));
    this.#more.push(message.moreRecipients);
    this.#first.push(this.#address.length);
    let causes = 0;
    for (const [address, reason] of message.recipients) {
      const [number, cause] = this.#reasonOf(reason);
      causes |= 1 << cause;
      this.#address.push(this.#addresses.intern(address));
      this.#reason.push(number);
      this.#domain.push(this.#domains.intern(domainOf(address)));
    }
    this.#causes.push(causes >>> 0);
  }

  /** Call after the last message: gives back what only filling needs. */
  seal(): this {
    this.#known = null;
    for (const texts of [this.#ids, this.#senders, this.#addresses, this.#reasons, this.#domains]) {
      texts.seal();
    }
    for (const column of this.#columns) column.trim();
    return this;
  }

  /** Takes messages out that have left the queue since. */
  remove(ids: ReadonlySet<string>): void {
    for (let row = 0; row < this.rows; row += 1) {
      if (this.isRemoved(row) || !ids.has(this.idOf(row))) continue;
      this.#state.set(row, this.#state.at(row) | REMOVED);
      this.#removed += 1;
    }
  }

  isRemoved(row: number): boolean {
    return (this.#state.at(row) & REMOVED) !== 0;
  }

  idOf(row: number): string {
    return this.#ids.get(row);
  }

  /** Position in `QUEUES`. */
  queueOf(row: number): number {
    return this.#state.at(row) & QUEUE_MASK;
  }

  arrivalOf(row: number): number {
    return this.#arrival.at(row);
  }

  sizeOf(row: number): number {
    return this.#size.at(row);
  }

  nextTryOf(row: number): number {
    return this.#nextTry.at(row);
  }

  /** Number of the sender's text. */
  senderOf(row: number): number {
    return this.#sender.at(row);
  }

  /** A bit for the position of every cause among its recipients. */
  causesOf(row: number): number {
    return this.#causes.at(row);
  }

  senderText(number: number): string {
    return this.#senders.get(number);
  }

  addressText(number: number): string {
    return this.#addresses.get(number);
  }

  destinationText(number: number): string {
    return this.#domains.get(number);
  }

  /** Calls back with the numbers of each recipient's address and destination; stops when told true. */
  someRecipient(row: number, test: (address: number, destination: number) => boolean): boolean {
    for (let at = this.#first.at(row); at < this.#end(row); at += 1) {
      if (test(this.#address.at(at), this.#domain.at(at))) return true;
    }
    return false;
  }

  /** Number of the first recipient's destination. */
  destinationOf(row: number): number {
    return this.#domain.at(this.#first.at(row));
  }

  message(row: number): PicturedMessage {
    const recipients: (readonly [string, string])[] = [];
    const causes: Cause[] = [];
    for (let at = this.#first.at(row); at < this.#end(row); at += 1) {
      const reason = this.#reason.at(at);
      recipients.push([this.#addresses.get(this.#address.at(at)), this.#reasons.get(reason)]);
      causes.push(CAUSE_IDS[this.#reasonCause.at(reason)] ?? 'unknown');
    }
    return {
      id: this.idOf(row),
      queue: QUEUES[this.queueOf(row)] ?? 'deferred',
      arrival: this.arrivalOf(row),
      created: this.#created.at(row),
      size: this.sizeOf(row),
      sender: this.senderText(this.senderOf(row)),
      expired: (this.#state.at(row) & EXPIRED) !== 0,
      nextTry: this.nextTryOf(row),
      recipients,
      moreRecipients: this.#more.at(row),
      causes,
    };
  }

  #end(row: number): number {
    return row + 1 < this.rows ? this.#first.at(row + 1) : this.#address.length;
  }

  #reasonOf(reason: string): readonly [reason: number, cause: number] {
    const known = this.#known?.get(reason);
    if (known) return known;
    const cause = causePosition(classify(reason));
    const number = this.#reasons.add(reason);
    this.#reasonCause.push(cause);
    const both = [number, cause] as const;
    if (this.#known && this.#known.size < MAX_KNOWN_REASONS) this.#known.set(reason, both);
    return both;
  }
}

/** The domain of an address in lower case; '' for a bare user. */
export function domainOf(address: string): string {
  const at = address.lastIndexOf('@');
  return at < 0 ? '' : address.slice(at + 1).toLowerCase();
}
