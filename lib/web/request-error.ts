/** What is wrong with a request as such, before any form could be read. */
export type RequestFault = 400 | 403 | 413 | 415 | 503;

/** Ends in a page in words; `status` is also what a host's own error handler understands. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  /** Tells `http-errors`-aware handlers that the message may be shown. */
  readonly expose = true;

  constructor(
    readonly status: RequestFault,
    options?: ErrorOptions,
  ) {
    super(`request refused with ${status}`, options);
  }
}
