// A scripted real browser: it walks consent, sign-in and the way back, and notices what a person would see go wrong.
import { strict as assert } from 'node:assert';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { chromium } from 'playwright-core';

export const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';

const args = [
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // A client's own page may want pictures from elsewhere: nothing but this machine is reached.
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1',
];

const desktop = { width: 1280, height: 800 };
const phone = { width: 390, height: 844 };

/** How a page is photographed; the first is how it is walked. */
export const looks = [
  { name: 'desktop-light', viewport: desktop, colorScheme: 'light' },
  { name: 'desktop-dark', viewport: desktop, colorScheme: 'dark' },
  { name: 'phone-light', viewport: phone, colorScheme: 'light' },
  { name: 'phone-dark', viewport: phone, colorScheme: 'dark' },
];

const options = { executablePath, headless: true, args, timeout: 30_000 };
let launched;

function browser() {
  const shared = process.env.SHARED_BROWSER;
  launched ??= shared ? chromium.connect(shared, { timeout: 30_000 }) : chromium.launch(options);
  return launched;
}

/** One Chromium for the processes of a run: each finds it by `endpoint` in its variable `SHARED_BROWSER`. */
export async function shareBrowser() {
  const server = await chromium.launchServer({ ...options, host: '127.0.0.1' });
  return { endpoint: server.wsEndpoint(), close: () => server.close() };
}

export async function closeBrowser() {
  const running = await launched;
  launched = undefined;
  await running?.close();
}

/** A browser profile of its own: no cookies, no history. */
export async function newProfile() {
  const context = await (await browser()).newContext({ viewport: desktop, colorScheme: 'light', locale: 'en-GB' });
  context.setDefaultTimeout(15_000);
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', event => {
      console.error(`CSP violation: ${event.violatedDirective} blocked ${event.blockedURI || 'inline'}`);
    });
  });
  return context;
}

/** One tab, with everything that went wrong in it. */
export class Tab {
  faults = [];
  #documents = [];
  #shots = 0;

  /**
   * `looks` are the looks of a screenshot; without `screenshotsDir` none is taken.
   * What goes wrong at `elsewhere`, the origin of a client that brings its own page, is not ours.
   */
  static async open(context, { screenshotsDir, name = 'page', looks: wanted = looks.slice(0, 1), elsewhere } = {}) {
    const tab = new Tab();
    tab.context = context;
    tab.page = await context.newPage();
    tab.screenshotsDir = screenshotsDir;
    tab.name = name;
    tab.looks = wanted;
    tab.page.on('response', response => {
      if (response.request().isNavigationRequest() && response.frame() === tab.page.mainFrame()) {
        tab.#documents.push({ url: response.url(), status: response.status(), headers: response.headers() });
      }
    });
    tab.page.on('pageerror', error => tab.faults.push(`script error: ${error.message}`));
    tab.page.on('console', message => {
      const ours = !elsewhere || ![tab.page.url(), message.location().url].some(url => url.startsWith(`${elsewhere}/`));
      if (message.type() === 'error' && ours && !tab.#isOwnStatus(message)) {
        tab.faults.push(`console: ${message.text()}`);
      }
    });
    return tab;
  }

  // Chromium reports a document of status 4xx or 5xx as an error; the status is judged where it matters.
  #isOwnStatus(message) {
    return (
      message.text().startsWith('Failed to load resource: the server responded with a status of') &&
      this.#documents.some(document => document.url === message.location().url)
    );
  }

  /** The page's address without its query, for messages. */
  get address() {
    return this.page.url().split('?')[0];
  }

  get document() {
    return this.#documents.at(-1);
  }

  async goto(url) {
    await this.page.goto(url, { waitUntil: 'load' });
  }

  /** Does `act` on the one element that matches and waits for the document that it leads to. */
  async leave(selector, act = element => element.click()) {
    const element = this.page.locator(selector);
    try {
      await Promise.all([this.page.waitForEvent('load'), act(element)]);
    } catch (error) {
      throw new Error(`${selector} at ${this.address} led nowhere: ${[...this.faults, error.message].join('; ')}`);
    }
  }

  async screenshot(label) {
    if (!this.screenshotsDir) {
      return;
    }
    await mkdir(this.screenshotsDir, { recursive: true });
    this.#shots += 1;
    for (const look of this.looks) {
      await this.page.setViewportSize(look.viewport);
      await this.page.emulateMedia({ colorScheme: look.colorScheme });
      const suffix = this.looks.length > 1 ? `-${look.name}` : '';
      const file = `${this.name}-${this.#shots}-${label}${suffix}.png`;
      await this.page.screenshot({ path: path.join(this.screenshotsDir, file), fullPage: true });
    }
    await this.page.setViewportSize(looks[0].viewport);
    await this.page.emulateMedia({ colorScheme: looks[0].colorScheme });
  }

  /** The button of our page, which is the approval. Whoever is signed in already finds it folded away. */
  async approve() {
    const fold = this.page.locator('details.other:not([open]) > summary');
    if (await fold.count()) {
      await fold.click();
    }
    await this.leave('button[name=upstream][value=demo]');
  }

  /** The button of our page for whoever is signed in already. */
  async allow() {
    await this.leave('button[name=action][value=allow]');
  }

  /** The button of the demo provider's page. */
  async become(person) {
    await this.leave(`button[name=person][value=${person}]`);
  }

  async deny() {
    await this.leave('button[name=action][value=deny]');
  }

  /** Where the browser stands: back at `redirectUri`, or on a page with a heading. */
  async outcome(redirectUri) {
    const url = new URL(this.page.url());
    if (redirectUri && url.origin + url.pathname === redirectUri) {
      return { returned: url };
    }
    const heading = this.page.locator('h1').first();
    return {
      page: {
        url: this.address,
        status: this.document?.status,
        heading: (await heading.count()) ? (await heading.innerText()).trim() : '',
        text: (await this.page.locator('body').innerText()).trim(),
      },
    };
  }

  assertClean() {
    assert.deepEqual(this.faults, [], `the browser complained at ${this.address}`);
  }
}

/**
 * Walks consent, provider and redirect in a fresh profile; without `follow` it only looks at the first page.
 * Answers `{ returned: URL }` at the client's callback, or `{ page: { status, heading, text } }` where it ended otherwise.
 */
export async function signIn(
  authorizeUrl,
  { person = 'alice', approve = true, follow = true, screenshotsDir, name = 'sign-in' } = {},
) {
  const redirectUri = new URL(authorizeUrl).searchParams.get('redirect_uri');
  const context = await newProfile();
  try {
    const tab = await Tab.open(context, {
      screenshotsDir,
      name,
      elsewhere: redirectUri && new URL(redirectUri).origin,
    });
    await tab.goto(String(authorizeUrl));
    await tab.screenshot('consent');
    if (!follow) {
      return await tab.outcome(redirectUri);
    }
    if (approve) {
      await tab.approve();
      await tab.screenshot('provider');
      await tab.become(person);
    } else {
      await tab.deny();
    }
    const outcome = await tab.outcome(redirectUri);
    await tab.screenshot(outcome.returned ? 'returned' : 'stopped');
    tab.assertClean();
    return outcome;
  } finally {
    await context.close();
  }
}

/** As `signIn`, for a flow that must end at the client. */
export async function signInAndReturn(authorizeUrl, options) {
  const { returned, page } = await signIn(authorizeUrl, options);
  assert(
    returned,
    `the browser ended at ${page?.url} with status ${page?.status}: ${page?.heading || page?.text.slice(0, 200)}`,
  );
  return returned;
}
