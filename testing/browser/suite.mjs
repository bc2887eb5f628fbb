// Counts checks, opens pages, and knows what every page is held to: no error on the console and
// nothing its content security policy would refuse.

import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Tab } from './tab.mjs';

/** A condition that takes longer than this does not come. The longest deadline is 5 s. */
export const WITHIN_MS = 20_000;

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Runs in the page before anything of it. */
function watchPolicy() {
  window.violations = [];
  document.addEventListener('securitypolicyviolation', (event) => {
    window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
  });
}

export class Suite {
  passed = 0;
  failed = 0;
  #contexts = [];
  #run = Date.now().toString(36).slice(-4);

  constructor(browser, address, shots) {
    Object.assign(this, { browser, address, shots });
  }

  /** One check: it passes if `body` returns. */
  async check(name, body) {
    try {
      await body();
      this.passed += 1;
      console.log(`ok      ${name}`);
    } catch (error) {
      this.failed += 1;
      console.log(`FAILED  ${name}\n        ${String(error.message ?? error).split('\n').slice(0, 12).join('\n        ')}`);
    }
  }

  /** A user nobody was in an earlier run against the same server. */
  user(name) {
    return `${name}-${this.#run}`;
  }

  /** A browser of its own, with nobody signed in. */
  async tab({ width = 1280, height = 860, colorScheme = 'light', path = '/' } = {}) {
    const context = await this.browser.newContext({
      viewport: { width, height },
      colorScheme,
      reducedMotion: 'reduce',
      locale: 'en-GB',
    });
    this.#contexts.push(context);
    await context.addInitScript(watchPolicy);
    await context.addInitScript({ content: axe });
    const page = await context.newPage();
    page.setDefaultTimeout(WITHIN_MS);
    const errors = [];
    page.on('pageerror', (error) => errors.push(`error: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() === 'error') {
        errors.push(`console: ${message.text()} ${message.location().url}`);
      }
    });
    await page.goto(this.address + path);
    return new Tab(page, errors);
  }

  /** The same, with a user signed in and online. */
  async signedIn(uid, options) {
    const tab = await this.tab(options);
    await tab.signIn(uid);
    return tab;
  }

  /** What every page of a part is held to, and the end of its browsers. */
  async close(name, tabs) {
    await this.check(`${name}: no console error and no policy violation`, async () => {
      for (const tab of tabs) equal(await tab.complaints(), []);
    });
    for (const context of this.#contexts.splice(0)) await context.close();
  }

  shot(tab, name) {
    return tab.page.screenshot({ path: join(this.shots, `${name}.png`) });
  }
}

export function equal(found, expected) {
  const [a, b] = [found, expected].map((value) => JSON.stringify(value));
  if (a !== b) throw new Error(`expected ${b}, found ${a}`);
}

export function holds(condition, text) {
  if (!condition) throw new Error(text);
}
