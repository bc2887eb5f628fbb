// Drives the console page in headless Chromium against a running server:
//   node run.mjs http://127.0.0.1:7300
// Screenshots go to the folder SHOTS, else to one of their own under the system's temporary folder.
// One line a check; exit 1 if any failed.

import { mkdtemp, mkdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { chromium } from 'playwright-core';

import { appearance } from './appearance.mjs';
import { conversations } from './conversations.mjs';
import { keyboard } from './keyboard.mjs';
import { operator } from './operator.mjs';
import { phone } from './phone.mjs';
import { policy } from './policy.mjs';
import { Suite } from './suite.mjs';

const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const [address] = process.argv.slice(2);
if (!address) {
  console.error('usage: node run.mjs URL');
  process.exit(2);
}

const shots = process.env.SHOTS || (await mkdtemp(join(tmpdir(), 'nightjar-shots-')));
await mkdir(shots, { recursive: true });

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ARGUMENTS,
});

const versionOf = async (name) => {
  const file = new URL(`node_modules/${name}/package.json`, import.meta.url);
  return JSON.parse(await readFile(file, 'utf8')).version;
};
console.log(`Chromium ${browser.version()}`);
for (const name of ['playwright-core', 'axe-core']) console.log(`${name} ${await versionOf(name)}`);
console.log(`screenshots in ${shots}`);

const suite = new Suite(browser, address, shots);
for (const part of [policy, keyboard, conversations, phone, operator, appearance]) await part(suite);
await browser.close();

console.log(`${suite.passed} passed, ${suite.failed} failed`);
process.exit(suite.failed ? 1 : 0);
