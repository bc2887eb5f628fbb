// Lets other people's senders and a real server send the same message to a push service on
// loopback, and compares the requests:
//   node run.mjs target/debug/nightjar
// One line a check; exit 1 if any failed.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Service } from './service.mjs';

const require = createRequire(import.meta.url);
/** A debug build on a machine that does other things starts slowly. */
const WITHIN_MS = 60_000;
const SECRET = 'xiaomi+app/secret==';
const PACKAGE = 'com.example.chat';
const TOKEN = 'd+/token==';

const [binary] = process.argv.slice(2);
if (!binary) {
  console.error('usage: node run.mjs BINARY');
  process.exit(2);
}

let failed = 0;
let passed = 0;
async function check(name, body) {
  try {
    await body();
    passed += 1;
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n        ${String(error.stack ?? error).split('\n').slice(0, 30).join('\n        ')}`);
  }
}

async function until(what, look) {
  const end = Date.now() + WITHIN_MS;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`${what} did not come within ${WITHIN_MS} ms`);
    await new Promise((later) => setTimeout(later, 20));
  }
}

/** Starts a server that pushes through `service`, and answers how to call and to stop it. */
async function nightjar(service) {
  const folder = await mkdtemp(join(tmpdir(), 'nightjar-senders-'));
  const ready = join(folder, 'ready.json');
  const options = { BASE_URL: service.url, APP_SECRET: SECRET, PACKAGE_NAME: PACKAGE, CHANNEL_ID: 'chat' };
  const env = { ...process.env, NIGHTJAR_NATIVE__LISTEN: '127.0.0.1:0' };
  for (const [name, value] of Object.entries(options)) env[`NIGHTJAR_PUSH__XIAOMI__MAIN__${name}`] = value;
  const args = ['serve', '--listen', '127.0.0.1:0', '--data-dir', join(folder, 'data'), '--ready-file', ready];
  const child = spawn(binary, args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  const address = await until('the ready file', async () => {
    assert.equal(child.exitCode, null, 'the server ended before it was ready');
    return readFile(ready, 'utf8').then((text) => JSON.parse(text).http, () => null);
  });
  const call = async (method, path, body) => {
    const headers = { authorization: 'Bearer dev', 'content-type': 'application/json' };
    const answer = await fetch(`http://${address}${path}`, { method, headers, body: JSON.stringify(body) });
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
    return answer;
  };
  return { call, stop };
}

/** What the server sends for one message. */
async function ours(service) {
  const server = await nightjar(service);
  try {
    const binding = { provider: 'xiaomi', credential: 'main', token: TOKEN };
    await server.call('PUT', '/v1/users/bob/devices/phone/push', binding);
    const content = { type: 'text', text: '今天中午吃什么? a=b&c+d 100% 🥪' };
    await server.call('POST', '/v1/messages', { from: 'alice', to: { user: 'bob' }, content });
    return await until('a push', () => service.requests[0]);
  } finally {
    await server.stop();
  }
}

/** The same fields, sent by `xiaomi-push`, which lets its user set every one of them. */
async function theirs(service, form) {
  const { notificationAPI } = require('xiaomi-push/lib/constant');
  notificationAPI.regid = `${service.url}/v2/message/regid`;
  const { Message, Notification } = require('xiaomi-push');
  const message = new Message()
    .title(form.title)
    .description(form.description)
    .payload(form.payload)
    .passThrough(form.pass_through)
    .notifyType(form.notify_type)
    .restrictedPackageName(form.restricted_package_name)
    .timeToLive(form.time_to_live)
    .notifyId(form.notify_id);
  for (const [name, value] of Object.entries(form)) {
    if (name.startsWith('extra.')) message.extra(name.slice('extra.'.length), value);
  }
  const sender = new Notification({ production: true, appSecret: SECRET });
  await sender.sendToRegid(form.registration_id, message);
  return service.requests.at(-1);
}

/** Title, text and payload, sent by `push-xiaomi`, which has the rest of its own. */
async function others(service, form) {
  const Xiaomi = require('push-xiaomi');
  const sender = new Xiaomi({ appSecret: SECRET, appPkgName: PACKAGE, pushUrl: `${service.url}/v3/message/regid` });
  await new Promise((resolve, reject) => {
    const { title, description: content, payload, registration_id } = form;
    const effect = { 'extra.notify_effect': form['extra.notify_effect'] };
    sender.push({ title, content, payload, list: [registration_id], ...effect, finish: resolve, fail: reject });
  });
  return service.requests.at(-1);
}

const service = await Service.start();
const sent = await ours(service);

await check('xiaomi-push sends the same form under the same key', async () => {
  const request = await theirs(service, sent.form);
  assert.deepEqual(request.form, sent.form);
  assert.equal(request.method, sent.method);
  assert.equal(request.headers.authorization, sent.headers.authorization);
});

await check('push-xiaomi sends to the same path, and the fields it has are the same', async () => {
  const request = await others(service, sent.form);
  assert.equal(`${request.method} ${request.path}`, `${sent.method} ${sent.path}`);
  assert.equal(request.headers.authorization, sent.headers.authorization);
  const shared = Object.entries(request.form).filter(([name, value]) => name !== 'notify_id' && value !== '');
  assert.deepEqual(shared.map(([name]) => name).sort(), [
    'description', 'extra.notify_effect', 'notify_type', 'pass_through', 'payload',
    'registration_id', 'restricted_package_name', 'title',
  ]);
  for (const [name, value] of shared) assert.equal(sent.form[name], value, name);
});

await check('the app finds the data part in the payload', () => {
  const data = JSON.parse(sent.form.payload);
  assert.deepEqual(Object.keys(data).sort(), ['badge', 'bv', 'conv', 'exp', 'mid', 'nid', 'seq', 'v']);
  assert.equal(data.nid, `m.${data.mid}`);
});

await service.stop();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
