// wukongimjssdk 1.0.4, unmodified, against a running server.
//
// usage: node wukongimjssdk.mjs WS_ADDRESS HTTP_ADDRESS
//
// The package is written for bundlers, so it is bundled as an app would. It is one client a
// process; the other end of each conversation is the back end's HTTP API.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import WebSocket from "ws";

const [ws, http] = process.argv.slice(2);
const log = console.log;
const patience = 20_000;

/** Sockets the client opened, for cutting them. */
const sockets = [];
globalThis.WebSocket = class extends WebSocket {
  constructor(address) {
    super(address);
    sockets.push(this);
  }
};
// The client says much for people at a console.
console.log = () => {};

async function post(path, body) {
  const answer = await fetch(`http://${http}${path}`, { method: "POST", body: JSON.stringify(body) });
  const text = await answer.text();
  assert.equal(answer.status, 200, `${path}: ${text}`);
  return JSON.parse(text);
}

/** Waits until `look` finds something. */
async function until(what, look) {
  const end = Date.now() + patience;
  for (;;) {
    const found = look();
    if (found) return found;
    assert(Date.now() < end, `waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const send = (from_uid, channel_id, text) =>
  post("/message/send", {
    header: { red_dot: 1 },
    from_uid,
    channel_id,
    channel_type: 1,
    payload: Buffer.from(JSON.stringify({ type: 1, content: text })).toString("base64"),
  });

const folder = await mkdtemp(join(tmpdir(), "wukong-"));
const bundle = join(folder, "sdk.mjs");
await build({
  stdin: { contents: 'export * from "wukongimjssdk"; export { default } from "wukongimjssdk"; export { ConnectStatus } from "wukongimjssdk/lib/connect_manager"; export { Channel, MessageText } from "wukongimjssdk/lib/model";', resolveDir: import.meta.dirname },
  bundle: true, platform: "node", format: "esm", outfile: bundle, logLevel: "error",
});
const { default: WKSDK, ConnectStatus, Channel, MessageText } = await import(pathToFileURL(bundle));
await rm(folder, { recursive: true });

const sdk = WKSDK.shared();
sdk.config.addr = `ws://${ws}`;
sdk.config.heartbeatInterval = 500;
const statuses = [];
const received = [];
const acks = [];
sdk.connectManager.addConnectStatusListener((status, reason) => statuses.push({ status, reason }));
sdk.chatManager.addMessageListener((message) => received.push(message));
sdk.chatManager.addMessageStatusListener((ack) => acks.push(ack));
const texts = () => received.filter((m) => m.contentType === 1 && !m.send).map((m) => m.content.text);
const statusOf = (status) => statuses.some((seen) => seen.status === status);

/** A wrong token ends cleanly: the client says so and does not come back. */
async function wrongToken() {
  await post("/user/token", { uid: "js", token: "right", device_flag: 1, device_level: 1 });
  Object.assign(sdk.config, { uid: "js", token: "wrong" });
  sdk.connectManager.connect();
  await until("the refusal", () => statusOf(ConnectStatus.ConnectFail));
  const opened = sockets.length;
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  assert.equal(sockets.length, opened, "the client came back after a refusal");
}

async function connects() {
  sdk.connectManager.disconnect();
  sdk.config.token = "right";
  sdk.connectManager.connect();
  await until("the connection", () => statusOf(ConnectStatus.Connected));
}

async function sends() {
  sdk.chatManager.send(new MessageText("from the browser"), new Channel("peer", 1));
  const ack = await until("the SENDACK", () => acks[0]);
  assert.equal(ack.reasonCode, 1);
  const page = await post("/channel/messagesync", {
    login_uid: "peer", channel_id: "js", channel_type: 1, limit: 10, pull_mode: 1,
    start_message_seq: 0, end_message_seq: 0,
  });
  const payload = JSON.parse(Buffer.from(page.messages[0].payload, "base64"));
  assert.equal(payload.content, "from the browser");
}

/** Three back to back, each exactly once and in order. */
async function receivesThree() {
  await Promise.all(["one", "two", "three"].map((text) => send("peer", "js", text)));
  await until("three messages", () => texts().length >= 3);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.deepEqual(texts().toSorted(), ["one", "three", "two"]);
  const seqs = received.filter((m) => !m.send).map((m) => m.messageSeq);
  assert.deepEqual(seqs, [2, 3, 4]);
}

async function survivesHeartbeats() {
  const socket = sockets.at(-1);
  await new Promise((resolve) => setTimeout(resolve, 1_600));
  assert.equal(sockets.at(-1), socket);
  assert.equal(socket.readyState, WebSocket.OPEN);
}

/** What was written while the link was cut is found through the sync routes. */
async function catchesUp() {
  statuses.length = 0;
  const opened = sockets.length;
  // Four unanswered pings bring this client back even after a kick; from here on they take as long
  // as in an app.
  sdk.config.heartbeatInterval = 60_000;
  sockets.at(-1).terminate();
  await send("peer", "js", "while away");
  await until("the client to come back", () => sockets.length > opened && statusOf(ConnectStatus.Connected));
  const [conversation] = await post("/conversation/sync", { uid: "js", msg_count: 1 });
  assert.equal(conversation.last_msg_seq, 5);
  const page = await post("/channel/messagesync", {
    login_uid: "js", channel_id: "peer", channel_type: 1, limit: 100, pull_mode: 1,
    start_message_seq: 1, end_message_seq: 0,
  });
  assert.deepEqual(page.messages.map((m) => m.message_seq), [1, 2, 3, 4, 5]);
}

/** The back end signs it out: it is told, and does not come back. */
async function isKicked() {
  const opened = sockets.length;
  await post("/user/device_quit", { uid: "js", device_flag: 1 });
  await until("the kick", () => statusOf(ConnectStatus.ConnectKick));
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  assert.equal(sockets.length, opened, "the client came back after a kick");
}

for (const scene of [wrongToken, connects, sends, receivesThree, survivesHeartbeats, catchesUp, isKicked]) {
  await scene();
  log(`ok ${scene.name}`);
}
process.exit(0);
