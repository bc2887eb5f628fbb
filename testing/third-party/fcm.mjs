// firebase-admin sends the same message as we do: what arrives is compared field by field.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { Agent } from 'node:https';
import { connect } from 'node:net';

import { deleteApp, initializeApp } from 'firebase-admin/app';
import { getMessaging } from 'firebase-admin/messaging';

import { until } from './suite.mjs';

const PROJECT = 'nightjar-test';

export async function fcm(suite) {
  const sends = [];
  const recorder = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    response.setHeader('content-type', 'application/json');
    if (request.url === '/token') {
      response.end('{"access_token":"access-1","expires_in":3599,"token_type":"Bearer"}');
      return;
    }
    const { method, url, headers } = request;
    sends.push({ method, url, headers, json: JSON.parse(text) });
    response.end(`{"name":"projects/${PROJECT}/messages/${sends.length}"}`);
  });
  await new Promise((resolve) => recorder.listen(0, '127.0.0.1', resolve));
  const { port } = recorder.address();
  const account = suite.file('account.json', JSON.stringify({
    type: 'service_account',
    project_id: PROJECT,
    private_key_id: '0123456789abcdef',
    private_key: suite.key('rsa.pem', 'rsa', { modulusLength: 2048 }).pem,
    client_email: `push@${PROJECT}.example`,
    token_uri: `http://127.0.0.1:${port}/token`,
  }));
  const table =
    `[push.fcm.main]\nbase_url = "http://127.0.0.1:${port}"\nservice_account_file = '${account}'\n`;
  const server = await suite.server('fcm', table);
  await server.bind('bob', 'fcm', 'a-registration-token');
  await server.say('bob', 'Mittag? 🥪');
  const ours = await until('our message', () => sends[0]);

  // Google's address leads to the recorder, without TLS.
  class ToRecorder extends Agent {
    createConnection() {
      return connect(port, '127.0.0.1');
    }
  }
  const credential = { getAccessToken: async () => ({ access_token: 'access-1', expires_in: 3599 }) };
  const app = initializeApp({ credential, projectId: PROJECT, httpAgent: new ToRecorder() });

  await suite.check('firebase-admin sends what we send', async () => {
    const { token, notification, data, android } = ours.json.message;
    await getMessaging(app).send({
      token,
      notification,
      data,
      android: {
        priority: android.priority.toLowerCase(),
        ttl: Number.parseInt(android.ttl, 10) * 1000,
        notification: {
          tag: android.notification.tag,
          sound: android.notification.sound,
          notificationCount: android.notification.notification_count,
        },
      },
    });
    const theirs = await until('their message', () => sends[1]);
    // Google's enumerations are read whatever their case; everything else is the same.
    const message = theirs.json.message;
    message.android.priority = message.android.priority.toUpperCase();
    assert.deepEqual(ours.json.message, message);
    assert.deepEqual([ours.method, ours.url], [theirs.method, theirs.url]);
    for (const name of ['authorization', 'content-type']) {
      assert.equal(ours.headers[name].split(';')[0], theirs.headers[name].split(';')[0], name);
    }
    assert.equal(theirs.json.validate_only ?? false, ours.json.validate_only ?? false);
  });
  await deleteApp(app);
  recorder.close();
  recorder.closeAllConnections();
}
