// The operator's page: what a push would do before it is sent, what providers answered, and how
// the credentials fare.

import { equal, holds } from './suite.mjs';

const LOOKS = [
  { width: 390, height: 844, colorScheme: 'light' },
  { width: 390, height: 844, colorScheme: 'dark' },
  { width: 1280, height: 860, colorScheme: 'light' },
  { width: 1280, height: 860, colorScheme: 'dark' },
];
const WIDTHS = [320, 390, 768, 940, 1280, 1920];

export async function operator(suite) {
  const [writer, owner] = ['olga', 'pavel'].map((name) => suite.user(name));
  const phone = await suite.signedIn(owner);
  const tab = await suite.tab({ path: '/pushes.html' });
  const { page } = tab;
  const decision = page.locator('#decisions .entry', { hasText: owner });

  await suite.check('operator: credentials are there with their health', async () => {
    await page.locator('#credential-list .entry', { hasText: 'console · console' }).waitFor();
  });

  await suite.check('operator: one that was made elsewhere appears, and is turned off and on', async () => {
    const name = suite.user('shop');
    const options = { provider: 'xiaomi', app_secret: 's', package_name: 'com.example', channel_id: 'c' };
    await call(suite, 'POST', name, options);
    const entry = page.locator('#credential-list .entry', { hasText: name });
    await entry.filter({ hasText: 'not used yet' }).waitFor();
    await entry.getByRole('button', { name: 'Turn off' }).click();
    await entry.locator('.pill', { hasText: 'off' }).waitFor();
    await entry.getByRole('button', { name: 'Turn on' }).click();
    await entry.locator('.pill', { hasText: 'not used yet' }).waitFor();
    await call(suite, 'DELETE', name);
    await entry.waitFor({ state: 'detached' });
  });

  await suite.check('operator: explained first, and nothing is sent by that', async () => {
    equal(await page.locator('#send').isDisabled(), true);
    await page.getByLabel('From').fill(writer);
    await page.getByLabel('To', { exact: true }).fill(owner);
    await page.getByLabel('Text').fill('Is anybody awake?');
    await page.getByRole('button', { name: 'Explain' }).click();
    await decision.filter({ hasText: 'foreground_deadline' }).waitFor();
    equal(await phone.page.locator('#chat-list').getByText('awake').count(), 0);
  });

  await suite.check('operator: what was changed is explained anew before it can be sent', async () => {
    await page.getByLabel('Title of the push').fill('From the desk');
    equal(await page.locator('#send').isDisabled(), true);
    await phone.mode('Offline');
    await phone.link('offline');
    // The server hears of it in its own time.
    const told = decision.filter({ hasText: 'offline' }).filter({ hasText: 'From the desk' });
    await page.getByRole('button', { name: 'Explain' }).click();
    while (!(await told.isVisible())) {
      await page.locator('#compose-note', { hasText: 'would' }).waitFor();
      await page.getByRole('button', { name: 'Explain' }).click();
      await decision.waitFor();
    }
  });

  await suite.check('operator: sent, the answer appears by itself', async () => {
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    await page.locator('#compose-note', { hasText: 'Sent as' }).waitFor();
    const answer = page.locator('#outcome-list .entry', { hasText: owner });
    await answer.filter({ hasText: 'delivered' }).first().waitFor();
    await phone.note('From the desk').waitFor();
  });

  await suite.check('operator: a test push says what the provider answered', async () => {
    await page.getByLabel('Test console on a device of').fill(owner);
    await page.getByRole('button', { name: 'Send a test' }).click();
    await page.locator('#credentials-note', { hasText: 'delivered' }).waitFor();
    await phone.note('Test of console console').waitFor();
    await page.getByLabel('Test console on a device of').fill(suite.user('nobody'));
    await page.getByRole('button', { name: 'Send a test' }).click();
    await page.locator('#credentials-note', { hasText: 'bound to this credential' }).waitFor();
  });
  // A refusal the operator asked for is no error of the page.
  const expected = tab.errors.filter((text) => text.includes('404') && text.includes('/test'));
  holds(expected.length === 1, tab.errors.join());
  tab.errors.splice(0, tab.errors.length, ...tab.errors.filter((text) => !expected.includes(text)));

  const tabs = [tab, phone];
  for (const look of LOOKS) tabs.push(await looks(suite, look));
  await suite.close('operator', tabs);
}

/** What another operator does at the same time. */
async function call(suite, method, name, body) {
  const headers = { Authorization: 'Bearer dev', 'Content-Type': 'application/json' };
  const url = `${suite.address}/v1/push/credentials/${name}`;
  const answer = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  holds(answer.ok, `${method} ${name}: ${answer.status}`);
}

async function looks(suite, look) {
  const name = `pushes ${look.width} ${look.colorScheme}`;
  const tab = await suite.tab({ ...look, path: '/pushes.html' });
  await tab.page.locator('#outcome-list .entry').first().waitFor();
  await suite.shot(tab, name.replaceAll(' ', '-'));
  await suite.check(`axe finds nothing: ${name}`, async () => equal(await tab.axe(), []));
  await suite.check(`nothing scrolls sideways: ${name}, ${WIDTHS.join(' ')} px`, async () => {
    for (const width of WIDTHS) {
      await tab.page.setViewportSize({ width, height: look.height });
      equal([width, await tab.sideways()], [width, []]);
    }
  });
  return tab;
}
