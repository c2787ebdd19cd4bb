/**
 * A picture of the whole queue, compact enough for 100,000 messages: columns of numbers and texts as bytes, never rows
 * as objects. The helper fills it, and hands it over in pieces that the web side puts together without reading them.
 */
import { bytesColumn, numbersColumn, Texts, type Piecewise } from './arena.js';
import { joinPiece, splitPiece } from './pieces.js';
import { causePosition, CAUSE_IDS, type Cause } from './causes.js';
import { classify } from './classify.js';
import {
  QUEUES,
  type QueueCounts,
  type QueueDisk,
  type QueueName,
  type QueueRow,
  type QueueSchedule,
} from './schema.js';

/** Bytes of addresses and reasons a picture may hold; of messages beyond it only the cause is known. */
export const MAX_TEXT_BYTES = 24 * 1024 * 1024;
/** Messages a picture may hold; more are counted, but neither sorted nor grouped. */
export const MAX_PICTURE_MESSAGES = 300_000;

/** Classes of reasons that are remembered while a picture is filled. */
const MAX_KNOWN_REASONS = 50_000;

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
    this.#more,
    this.#first,
    this.#address,
    this.#reason,
    this.#domain,
  ] as const;
  readonly #texts = [this.#ids, this.#senders, this.#addresses, this.#reasons, this.#domains];
  #known: Map<string, number> | null = new Map();
  /** Cause of each kept reason, by its number. */
  readonly #reasonCause = bytesColumn();
  readonly #parts: readonly Piecewise[] = [
    ...this.#texts.flatMap(({ parts }) => parts),
    ...this.#columns,
    this.#reasonCause,
  ];
  #removed = 0;

  /** Messages in it, without those that were removed since. */
  get size(): number {
    return this.#state.length - this.#removed;
  }

  /** Rows, removed ones included: their numbers run from 0 to this. */
  get rows(): number {
    return this.#state.length;
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

  /** False when there are too many already, so that this one is left out. */
  add(message: QueueRow): boolean {
    if (this.rows >= MAX_PICTURE_MESSAGES) return false;
    this.#ids.add(message.id);
    this.#state.push(QUEUES.indexOf(message.queue) | (message.expired ? EXPIRED : 0));
    this.#arrival.push(message.arrival);
    this.#created.push(message.created);
    this.#size.push(Math.min(message.size, 0xffff_ffff));
    this.#nextTry.push(message.nextTry);
    this.#sender.push(this.#senders.intern(message.sender));
    this.#more.push(message.moreRecipients);
    this.#first.push(this.#address.length);
    for (const [address, reason] of message.recipients) {
      this.#address.push(this.#addresses.intern(address));
      this.#reason.push(this.#reasonOf(reason));
      this.#domain.push(this.#domains.intern(domainOf(address)));
    }
    return true;
  }

  /** What was added since the last piece, for `putPiece` of another picture that has got all before it. */
  takePiece(): Buffer {
    return joinPiece(this.#parts.map((part) => part.take()));
  }

  /** Throws a `RangeError` when this is no piece. */
  putPiece(piece: Buffer): void {
    splitPiece(piece, this.#parts.length).forEach((bytes, at) => this.#parts[at]?.put(bytes));
  }

  /** Call after the last message: gives back what only filling needs. */
  seal(): this {
    this.#known = null;
    for (const texts of this.#texts) texts.seal();
    for (const column of this.#columns) column.trim();
    return this;
  }

  /** Takes messages out that have left the queue since. */
  remove(ids: ReadonlySet<string>, onRemoved?: (queue: QueueName) => void): void {
    for (let row = 0; row < this.rows; row += 1) {
      if (this.isRemoved(row) || !ids.has(this.idOf(row))) continue;
      this.#state.set(row, this.#state.at(row) | REMOVED);
      this.#removed += 1;
      onRemoved?.(QUEUES[this.queueOf(row)] ?? 'deferred');
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

  /** Calls back with the position of each recipient's cause; stops when told true. */
  someCause(row: number, test: (cause: number) => boolean): boolean {
    for (let at = this.#first.at(row); at < this.#end(row); at += 1) {
      if (test(this.#reasonCause.at(this.#reason.at(at)))) return true;
    }
    return false;
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

  #reasonOf(reason: string): number {
    const known = this.#known?.get(reason);
    if (known !== undefined) return known;
    const number = this.#reasons.add(reason);
    this.#reasonCause.push(causePosition(classify(reason)));
    if (this.#known && this.#known.size < MAX_KNOWN_REASONS) this.#known.set(reason, number);
    return number;
  }
}

/** The domain of an address in lower case; '' for a bare user. */
export function domainOf(address: string): string {
  const at = address.lastIndexOf('@');
  return at < 0 ? '' : address.slice(at + 1).toLowerCase();
}
