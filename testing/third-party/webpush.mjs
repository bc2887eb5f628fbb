// web-push-testing is a push service that verifies what it is sent and decrypts it like a browser.

import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { createRequire } from 'node:module';

import { until } from './suite.mjs';

const require = createRequire(import.meta.url);
const Service = require('web-push-testing/src/server.js');
const { PushApiModel } = require('web-push-testing/src/PushApiModel.js');

/** It wants to be told its port. */
function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

export async function webPush(suite) {
  const model = new PushApiModel();
  const service = new Service(model, await freePort());
  service.startServer();
  const vapid = suite.key('vapid.pem', 'ec', { namedCurve: 'prime256v1' });
  const table = (provider) =>
    `[push.${provider}.main]\nvapid_key_file = '${vapid.path}'\n` +
    'subject = "mailto:ops@chat.example"\nallow_private = true\n';
  const server = await suite.server('webpush', table('webpush') + table('unifiedpush'));

  // What a page would find in the log at the start.
  const { x, y } = vapid.publicKey.export({ format: 'jwk' });
  const point = [Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')];
  const publicKey = Buffer.concat(point).toString('base64url');
  await suite.check('web-push-testing: the key to subscribe with is in the log', () =>
    until('the key', () => server.log.includes(publicKey)));

  for (const provider of ['webpush', 'unifiedpush']) {
    await suite.check(`web-push-testing decrypts what ${provider} sends`, async () => {
      const options = { userVisibleOnly: 'true', applicationServerKey: publicKey };
      const { endpoint, keys, clientHash } = await model.subscribe(options);
      const uid = `bob-${provider}`;
      await server.bind(uid, provider, JSON.stringify({ endpoint, keys }));
      const sent = await server.say(uid, 'Mittag? 🥪');
      const messages = await until('a push', () => model.messages[clientHash]);
      const read = JSON.parse(messages[0]);
      const { mid, nid, seq, badge, v, title, body } = read;
      assert.deepEqual(
        { mid, nid, seq, badge, v, title, body },
        {
          mid: sent.message_id,
          nid: `m.${sent.message_id}`,
          seq: 1,
          badge: 1,
          v: 1,
          title: 'alice',
          body: 'Mittag? 🥪',
        },
      );

      model.expireSubscription(clientHash);
      await server.say(uid, 'anybody there?');
      await until('the binding to go', async () => {
        const { devices } = await server.request('GET', `/v1/users/${uid}/devices`);
        return devices[0].bindings.length === 0;
      });
    });
  }
  service._server.close();
  service._server.closeAllConnections();
}
