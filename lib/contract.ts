/**
 * The types a console shares with this plugin. No code: a host may depend on this file alone.
 */
import type { RequestHandler, Request, Router } from 'express';
import type { Knex } from 'knex';
import type { Environment } from 'nunjucks';

/** `mail.read` looks; `mail.operate` acts on queue, retrieval, quarantine and bulk mail; `mail.admin` changes settings. */
export type Role = 'mail.read' | 'mail.operate' | 'mail.admin';

/** The signed-in person, as the host knows them. `login` is what the history and the audit log name. */
export interface SignedInUser {
  readonly id: string;
  readonly login: string;
  readonly name: string;
  /** Where test mail for this person goes; null when the host knows no address. */
  readonly email: string | null;
  readonly roles: readonly Role[];
}

/** The appliance's brand; `product` replaces `{product}` in every text. */
export interface Brand {
  readonly product: string;
  readonly vendor: string;
  /** A mail address or https URL where people ask for help. */
  readonly support: string;
  /** Any CSS colour; the look derives its accent from it. */
  readonly color?: string;
}

export interface DirectoryUser {
  /** Stable identity: it survives a rename of the login. */
  readonly id: string;
  readonly login: string;
  readonly name: string;
  /** Mail addresses the directory itself knows for this user. */
  readonly addresses: readonly string[];
  readonly hasMailbox: boolean;
  /** True for accounts of services rather than people (root, daemon users). */
  readonly system: boolean;
  /** True while the account may not sign in. */
  readonly locked: boolean;
  readonly groups: readonly string[];
}

export interface DirectoryGroup {
  readonly id: string;
  readonly name: string;
}

/** The appliance's users and groups. */
export interface Directory {
  /**
   * `nss`: the users are the system's own, Postfix asks NSS itself.
   * `table`: the host has a directory of its own, so the plugin keeps a lookup table that follows it.
   */
  readonly kind: 'nss' | 'table';
  users(): Promise<readonly DirectoryUser[]>;
  groups(): Promise<readonly DirectoryGroup[]>;
  /** Calls back after users or groups changed; returns the function that ends the subscription. */
  onChange(listener: () => void): () => void;
}

/**
 * A certificate the host offers for mail. It lies where the privileged helper finds it by its id, in files of root's:
 * `/etc/mailserver/certificates/<id>.crt` (or `.pem`, with the chain) and `<id>.key`, or links there. A renewed pair
 * takes the place of the old one; Postfix is given the paths and reads them anew by itself, without a save.
 */
export interface HostCertificate {
  readonly id: string;
  readonly label: string;
  /** Host names the certificate is valid for. */
  readonly names: readonly string[];
  readonly expires: Date;
  /** Why the pair cannot be used, as a translation key; null when it can. */
  readonly problem: string | null;
}

export interface Log {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

/** A line of the helper's answer while it works. */
export interface HelperProgress {
  readonly done: number;
  /** Null while the total is unknown. */
  readonly total: number | null;
  readonly note?: string;
  /** A row, or a batch of rows, of a streamed answer, for actions that stream. */
  readonly row?: unknown;
}

export interface HelperCallOptions {
  /** Who asks, for the helper's audit log. */
  readonly actor: string;
  readonly signal?: AbortSignal;
  /** The next line is read only when the promise it may return is settled. */
  readonly onProgress?: (progress: HelperProgress) => void | Promise<void>;
  /** Further request lines, for actions that take a stream (full tables). */
  readonly input?: AsyncIterable<unknown> | Iterable<unknown>;
  /** Called when the helper is silent for so long that whoever waits should be told. It is waited for all the same. */
  readonly onSilence?: () => void;
  /** Milliseconds until the call is given up; the action's own limit when absent. */
  readonly timeoutMs?: number;
}

/**
 * How the plugin reaches the privileged helper: one request, one answer.
 * Rejects with a `HelperError` when the helper refuses or fails, or cannot be reached (`stage: 'connect'`).
 */
export interface HelperTransport {
  request(
    action: string,
    params: Readonly<Record<string, unknown>>,
    options: HelperCallOptions,
  ): Promise<unknown>;
  /**
   * This action is likely to be asked for soon: whoever can makes a helper ready for it, so that its start is not waited
   * for. Only a hint, which may come as often as it likes.
   */
  expect?(action: string): void;
}

/** All that the plugin takes from a console. */
export interface Host {
  readonly db: Knex;
  readonly log: Log;
  /**
   * The host's Nunjucks environment (autoescape on). The plugin adds a loader for names that begin with `@mail/`
   * and renders its pages into the template `layout` names, which must have the blocks `title`, `head` and `content`.
   */
  readonly views: Environment;
  readonly layout: string;
  readonly helper: HelperTransport | null;
  readonly brand: Brand;
  readonly directory: Directory;
  /** A handler that lets only people with this role pass: 403, or the sign-in page, for others. */
  requireRole(role: Role): RequestHandler;
  /** Who is signed in; null only before `requireRole` has run. */
  user(req: Request): SignedInUser | null;
  /** A BCP 47 tag such as `de`; the plugin falls back to English for languages it lacks. */
  language(req: Request): string;
  /** The token every form carries as `_csrf`; the host checks it before the plugin's routes run. */
  csrf(req: Request): string;
  /** What the layout template needs for this request (menu, user, ...). `current` is the plugin's menu entry in view. */
  layoutContext(req: Request, page: { current: string; title: string }): Record<string, unknown>;
  /** The appliance's HTTP proxy as a URL, for signature updates; null without one. */
  proxy(): Promise<string | null>;
  certificates(): Promise<readonly HostCertificate[]>;
}

/** What other parts of the appliance may ask the plugin. */
export interface PluginFacts {
  /** A real local mail domain (more than `localhost`) exists; groupware resources need one. */
  readonly localDomain: boolean;
  readonly localDomains: readonly string[];
}

export interface PluginHealth {
  readonly status: 'ok' | 'degraded' | 'failing';
  /** What is wrong, as translation keys with values. */
  readonly problems: readonly { key: string; values: Record<string, string | number> }[];
}

export interface Plugin {
  readonly router: Router;
  /** Migrations, recovery of an unfinished change, background jobs. Call once before serving. */
  start(): Promise<void>;
  facts(): Promise<PluginFacts>;
  health(): Promise<PluginHealth>;
  /** All settings as the text of one file, passwords sealed for this machine's helper: for the host's own backup. */
  backup(): Promise<string>;
  /**
   * Makes the settings those of such a text, as one change or not at all; false when they were so already. Rejects with a
   * `UserError` for what is no such text, a `HelperError` when the machine refuses it.
   */
  restore(text: string, actor: string): Promise<boolean>;
  /** Ends jobs and timers; the host closes its own database. */
  close(): Promise<void>;
}
