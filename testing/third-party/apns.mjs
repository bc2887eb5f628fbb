// @parse/node-apn sends the same notification as we do: what arrives is compared header by header
// and field by field.

import assert from 'node:assert/strict';
import { createServer, createSecureServer } from 'node:http2';

import apn from '@parse/node-apn';
import selfsigned from 'selfsigned';

import { until } from './suite.mjs';

const TOPIC = 'com.example.chat';
const [TEAM, KEY] = ['TEAM567890', 'KEY4567890'];
const TOKEN = 'a1b2c3d4e5f60718293a4b5c6d7e8f90';

/** What a stream brings, once it is whole. */
function record(requests) {
  return (stream, headers) => {
    const chunks = [];
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('end', () => {
      requests.push({ headers, json: JSON.parse(Buffer.concat(chunks)) });
      stream.respond({ ':status': 200, 'apns-id': headers['apns-id'] });
      stream.end();
    });
  };
}

const listen = (server) => new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const part = (jwt, at) => JSON.parse(Buffer.from(jwt.split('.')[at], 'base64url'));

export async function apns(suite) {
  const [ours, theirs] = [[], []];
  const plain = createServer().on('stream', record(ours));
  await listen(plain);
  const signed = await selfsigned.generate([{ name: 'commonName', value: 'localhost' }], { keySize: 2048 });
  const secure = createSecureServer({ key: signed.private, cert: signed.cert });
  secure.on('stream', record(theirs));
  await listen(secure);

  const key = suite.key('AuthKey.p8', 'ec', { namedCurve: 'prime256v1' });
  const table =
    `[push.apns.main]\nbase_url = "http://127.0.0.1:${plain.address().port}"\nteam_id = "${TEAM}"\n` +
    `key_id = "${KEY}"\nkey_file = '${key.path}'\ntopic = "${TOPIC}"\nenvironment = "production"\n`;
  const server = await suite.server('apns', table);
  await server.bind('bob', 'apns', TOKEN);
  await server.say('bob', 'Mittag? 🥪');
  const our = await until('our notification', () => ours[0]);

  const provider = new apn.Provider({
    token: { key: key.path, keyId: KEY, teamId: TEAM },
    address: '127.0.0.1',
    port: secure.address().port,
    rejectUnauthorized: false,
  });
  await suite.check('@parse/node-apn sends what we send', async () => {
    const { aps, ...data } = our.json;
    const note = new apn.Notification();
    note.alert = aps.alert;
    note.badge = aps.badge;
    note.sound = aps.sound;
    note.threadId = aps['thread-id'];
    note.mutableContent = true;
    note.topic = TOPIC;
    note.pushType = 'alert';
    note.priority = 10;
    note.expiry = Number(our.headers['apns-expiration']);
    note.collapseId = our.headers['apns-collapse-id'];
    note.payload = data;
    const { failed } = await provider.send(note, TOKEN);
    assert.deepEqual(failed, []);
    const their = await until('their notification', () => theirs[0]);

    assert.deepEqual(our.json, their.json);
    const names = [':method', ':path', 'apns-push-type', 'apns-topic', 'apns-expiration', 'apns-collapse-id'];
    for (const name of names) assert.equal(our.headers[name], their.headers[name], name);
    // Theirs leaves the priority out where it is 10, which is Apple's default.
    assert.equal(our.headers['apns-priority'], their.headers['apns-priority'] ?? '10');
    const [us, them] = [our, their].map(({ headers }) => headers.authorization.replace('bearer ', ''));
    const { typ: _, ...header } = part(them, 0);
    assert.deepEqual(part(us, 0), header);
    assert.equal(part(us, 1).iss, part(them, 1).iss);
  });
  await provider.shutdown();
  plain.close();
  secure.close();
}
