// standardwebhooks verifies what the webhook provider and the event webhooks sign.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';

import { Webhook } from 'standardwebhooks';

import { until } from './suite.mjs';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

export async function webhook(suite) {
  const requests = [];
  const receiver = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    requests.push({ path: request.url, headers: request.headers, body: Buffer.concat(chunks) });
    response.end('{"outcome":"delivered"}');
  });
  await new Promise((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${receiver.address().port}`;
  const tables =
    `[push.webhook.main]\nurl = "${url}/push"\nsecret = "${SECRET}"\nallow_private = true\n` +
    `[webhooks]\nurl = "${url}/events"\nsecret = "${SECRET}"\nallow_private = true\n`;
  const server = await suite.server('webhook', tables);
  await server.bind('bob', 'webhook', 'bridge-token');
  const sent = await server.say('bob', 'Mittag? 🥪');
  const verifier = new Webhook(SECRET);
  const request = (path) => until(`a request to ${path}`, () => requests.find((r) => r.path === path));

  await suite.check('standardwebhooks verifies a push', async () => {
    const push = await request('/push');
    const read = verifier.verify(push.body, push.headers);
    assert.equal(read.type, 'push.notification');
    assert.equal(read.data.mid, sent.message_id);
    assert.deepEqual([read.title, read.body, read.token], ['alice', 'Mittag? 🥪', 'bridge-token']);
  });
  await suite.check('standardwebhooks verifies an event', async () => {
    const event = await request('/events');
    assert.match(verifier.verify(event.body, event.headers).type, /^message\./);
  });
  await suite.check('standardwebhooks refuses a push with another letter in it', async () => {
    const push = await request('/push');
    const forged = push.body.toString().replace('alice', 'alicf');
    assert.throws(() => verifier.verify(forged, push.headers), /signature/i);
  });
  receiver.close();
  receiver.closeAllConnections();
}
