// The page is served under a policy that lets nothing in but its own files, and it lives with that.

import { equal, holds } from './suite.mjs';

export async function policy(suite) {
  const answer = await fetch(`${suite.address}/`);
  const header = answer.headers.get('content-security-policy') ?? '';

  await suite.check('the policy lets in nothing but the files of this server', () => {
    holds(header.includes("default-src 'none'"), header);
    holds(header.includes("script-src 'self'"), header);
    for (const hole of ['unsafe-inline', 'unsafe-eval', '*', 'http:', 'https:']) {
      holds(!header.includes(hole), `${hole} in ${header}`);
    }
  });

  const tab = await suite.tab();
  await suite.check('the policy is in force, and this suite would notice a violation', async () => {
    await tab.page.evaluate(() => {
      const script = document.createElement('script');
      script.textContent = 'window.wasRun = true';
      document.head.append(script);
    });
    await tab.page.waitForFunction(() => window.violations.length > 0);
    equal(await tab.page.evaluate(() => window.wasRun ?? false), false);
    holds((await tab.complaints()).length > 0, 'nothing was noticed');
  });
  await tab.page.context().close();
}
