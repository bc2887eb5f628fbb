// Counts checks, starts servers, and waits for what they do.

import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A condition that takes longer than this does not come. */
const WITHIN_MS = 20_000;
const ADMIN_KEY = 'an admin key of the test';

/** Looks until there is something to see. */
export async function until(what, look) {
  for (const start = Date.now(); Date.now() - start < WITHIN_MS; ) {
    const seen = await look();
    if (seen) return seen;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`${what} did not come`);
}

export class Suite {
  #passed = 0;
  #failed = 0;
  #servers = [];
  #folder = mkdtempSync(join(tmpdir(), 'nightjar-third-party-'));

  constructor(binary) {
    this.binary = binary;
  }

  /** One check: it passes if `body` returns. */
  async check(name, body) {
    try {
      await body();
      this.#passed += 1;
      console.log(`ok      ${name}`);
    } catch (error) {
      this.#failed += 1;
      console.log(`FAILED  ${name}\n${error.stack ?? error}`);
    }
  }

  /** A file of the run. */
  file(name, text) {
    const path = join(this.#folder, name);
    writeFileSync(path, text);
    return path;
  }

  /** A new key in a file, PKCS#8, PEM; also the PEM and the public key. */
  key(name, type, options) {
    const pair = generateKeyPairSync(type, options);
    const pem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' });
    return { path: this.file(name, pem), pem, publicKey: pair.publicKey };
  }

  /** A server with these tables besides its own. */
  async server(name, tables) {
    const ready = join(this.#folder, `${name}.ready.json`);
    const config = this.file(
      `${name}.toml`,
      `[server]\nadmin_key = "${ADMIN_KEY}"\ntoken_secret = "a secret of the test"\n` +
        `listen = "127.0.0.1:0"\n[native]\nlisten = "127.0.0.1:0"\n` +
        `[wukong]\ntcp = ""\nws = ""\nhttp = ""\n[xmpp]\nlisten = ""\ntls = ""\n${tables}`,
    );
    const data = join(this.#folder, `${name}.data`);
    const arguments_ = ['serve', '--config', config, '--data-dir', data, '--ready-file', ready];
    const child = spawn(this.binary, arguments_, { stdio: ['ignore', 'pipe', 'pipe'] });
    // A check that throws ends this program before `end`.
    process.on('exit', () => child.kill());
    const server = { child, log: '' };
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (bytes) => (server.log += bytes));
    }
    this.#servers.push(server);
    const address = await until(`a ready server\n${server.log}`, () => {
      if (child.exitCode !== null) throw new Error(`the server ended:\n${server.log}`);
      try {
        return JSON.parse(readFileSync(ready, 'utf8')).http;
      } catch {
        return null;
      }
    });
    return new Server(address, server);
  }

  /** Stops what was started and says how it went. */
  async end() {
    for (const { child } of this.#servers) {
      const ended = new Promise((resolve) => child.on('exit', resolve));
      if (child.exitCode === null && child.kill('SIGTERM')) await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
    console.log(`${this.#passed} passed, ${this.#failed} failed`);
    process.exit(this.#failed ? 1 : 0);
  }
}

class Server {
  #process;

  constructor(address, process) {
    this.address = address;
    this.#process = process;
  }

  get log() {
    return this.#process.log;
  }

  async request(method, path, body) {
    const answer = await fetch(`http://${this.address}${path}`, {
      method,
      headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  bind(uid, provider, token, credential = 'main') {
    const path = `/v1/users/${uid}/devices/phone/push`;
    return this.request('PUT', path, { provider, credential, token });
  }

  /** A message from alice, whose receiver has no connection: it is pushed at once. */
  say(uid, text, push) {
    const content = { type: 'text', text };
    return this.request('POST', '/v1/messages', { from: 'alice', to: { user: uid }, content, push });
  }
}
