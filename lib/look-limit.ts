/**
 * How long a page waits for what the helper reads for it at one go, in milliseconds: many times what that takes on a busy
 * machine. Without a limit of its own a call may take as long as the longest save.
 */
export const LOOK_LIMIT_MS = 20_000;
