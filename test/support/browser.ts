/** A real browser: Debian's chromium, driven over its own protocol. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';

const CHROMIUM = '/usr/bin/chromium';

/** It must not ask anything beyond this machine, and runs as root in the tests. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** How long a page may take, in milliseconds: long, for a busy machine. */
const PAGE_LIMIT_MS = 60_000;

export interface VisitOptions {
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
  readonly javaScript?: boolean;
  /** A BCP 47 tag, `en-GB` when not given. */
  readonly language?: string;
  /** For `axeViolations`, which has to inject a script. Nothing is refused then, so nothing is reported. */
  readonly bypassCsp?: boolean;
}

/** One person at the browser, with cookies of their own. */
export interface Visit {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What the page did wrong so far: policy violations, script errors, failed requests. */
  readonly problems: readonly string[];
  /** Bytes that came over the wire since the last call, headers included. */
  transferred(): number;
  close(): Promise<void>;
}

export interface TestBrowser {
  visit(options?: VisitOptions): Promise<Visit>;
  close(): Promise<void>;
}

export async function openBrowser(): Promise<TestBrowser> {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  return {
    visit: (options = {}) => startVisit(browser, options),
    close: () => browser.close(),
  };
}

async function startVisit(browser: Browser, options: VisitOptions): Promise<Visit> {
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1280, height: options.height ?? 900 },
    colorScheme: options.dark ? 'dark' : 'light',
    javaScriptEnabled: options.javaScript ?? true,
    locale: options.language ?? 'en-GB',
    bypassCSP: options.bypassCsp ?? false,
    reducedMotion: 'reduce',
  });
  context.setDefaultTimeout(PAGE_LIMIT_MS);
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(`${message.text()} ${message.location().url}`);
  });
  page.on('pageerror', (error) => problems.push(`${error.name}: ${error.message}`));
  page.on('requestfailed', (request) => {
    // A page that is left breaks its own requests off.
    const reason = request.failure()?.errorText ?? '';
    if (reason !== 'net::ERR_ABORTED') problems.push(`${request.url()}: ${reason}`);
  });
  let bytes = 0;
  const wire = await context.newCDPSession(page);
  await wire.send('Network.enable');
  wire.on('Network.loadingFinished', (event) => {
    bytes += event.encodedDataLength;
  });
  return {
    page,
    context,
    problems,
    transferred: () => {
      const since = bytes;
      bytes = 0;
      return since;
    },
    close: () => context.close(),
  };
}

/** Fills in the console's own sign-in page. */
export async function signIn(
  page: Page,
  {
    url,
    user,
    password,
  }: { readonly url: string; readonly user: string; readonly password: string },
): Promise<void> {
  await page.goto(new URL('/login', url).href);
  await page.fill('input[name="username"]', user);
  await page.fill('input[name="password"]', password);
  await page.press('input[name="password"]', 'Enter');
  await page.waitForURL((target) => target.pathname !== '/login');
}

/**
 * What of the page people cannot use, as axe sees it: one line for each rule and place. `rules` are the only ones asked.
 * The script comes over the browser's own protocol, which a page's policy does not forbid.
 */
export async function axeViolations(page: Page, rules?: readonly string[]): Promise<string[]> {
  const source = readFileSync(
    createRequire(import.meta.url).resolve('axe-core/axe.min.js'),
    'utf8',
  );
  if (!(await page.evaluate<boolean>("typeof axe === 'object'"))) await page.evaluate(source);
  const options = rules === undefined ? {} : { runOnly: rules };
  const result = await page.evaluate<AxeResult>(`axe.run(${JSON.stringify(options)})`);
  return result.violations.flatMap(({ id, help, nodes }) =>
    nodes.map(
      ({ target, failureSummary }) => `${id} (${help}) ${String(target)}: ${failureSummary}`,
    ),
  );
}

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly help: string;
    readonly nodes: readonly {
      readonly target: readonly unknown[];
      readonly failureSummary: string;
    }[];
  }[];
}

/** Whether the page is wider than the window, so that one has to scroll sideways. */
export async function scrollsSideways(page: Page): Promise<boolean> {
  return page.evaluate<boolean>(
    'document.documentElement.scrollWidth > document.documentElement.clientWidth',
  );
}
