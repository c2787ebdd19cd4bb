/** An answer other than the page asked for; `reason` picks the words (`console.problem.<reason>.*`). */
export type HttpReason =
  'held' | 'missing' | 'origin' | 'role' | 'stranger' | 'token' | 'tooLarge' | 'unreadable';

export class HttpError extends Error {
  override readonly name = 'HttpError';

  constructor(
    readonly status: 400 | 403 | 404 | 410 | 413,
    readonly reason: HttpReason,
  ) {
    super(`${String(status)} ${reason}`);
  }
}
