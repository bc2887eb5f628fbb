// Everything can be done without a pointer: sign in, write, put the app to sleep, ask why.

import { equal, holds } from './suite.mjs';

const TABS_MAX = 60;

/** Presses Tab until what has the focus matches, as a person would. */
async function tabTo(page, selector, key = 'Tab') {
  for (let pressed = 0; pressed < TABS_MAX; pressed += 1) {
    const isThere = await page.evaluate((wanted) => document.activeElement.matches(wanted), selector);
    if (isThere) return;
    await page.keyboard.press(key);
  }
  throw new Error(`${selector} is not reached by ${TABS_MAX} presses of ${key}`);
}

export async function keyboard(suite) {
  const tab = await suite.tab();
  const { page } = tab;

  await suite.check('keyboard: sign in, open a chat, write', async () => {
    await tabTo(page, '#uid');
    await page.keyboard.type(suite.user('erin'));
    await page.keyboard.press('Enter');
    await tab.link('online');
    await tabTo(page, '#peer');
    await page.keyboard.type(suite.user('frank'));
    await page.keyboard.press('Enter');
    await page.locator('#chat-title', { hasText: 'frank' }).waitFor();
    await tabTo(page, '#text');
    await page.keyboard.type('typed without a mouse');
    await page.keyboard.press('Enter');
    await tab.tick('typed without a mouse', 'sent');
  });

  await suite.check('keyboard: what has the focus is framed', async () => {
    for (const wanted of ['#text', 'button[data-mode="frozen"]', '#chat-list button']) {
      await tabTo(page, wanted);
      const width = await page.evaluate(() =>
        Number.parseFloat(getComputedStyle(document.activeElement).outlineWidth),
      );
      holds(width >= 2, `${wanted} has an outline of ${width} px`);
    }
  });

  await suite.check('keyboard: ask for a timeline, close it, and be where one was', async () => {
    await tabTo(page, '.bubble');
    await page.keyboard.press('Enter');
    await tab.steps('committed');
    await tabTo(page, '#timeline-close');
    await page.keyboard.press('Enter');
    await page.locator('#timeline').waitFor({ state: 'hidden' });
    equal(await page.evaluate(() => document.activeElement.matches('.bubble')), true);
  });

  await suite.check('keyboard: freeze the app and bring it back', async () => {
    await tabTo(page, 'button[data-mode="frozen"]');
    await page.keyboard.press('Space');
    await tab.link('frozen');
    await tabTo(page, '#wake', 'Shift+Tab');
    await page.keyboard.press('Enter');
    await tab.link('online');
  });

  await suite.close('keyboard', [tab]);
}
