// Other people's programs against a real server: node run.mjs PATH_OF_THE_BINARY
//
// Each suite brings a program that knows its protocol better than we do: a push service that
// decrypts, a verifier of signatures, and the senders that Apple's and Google's users send with.

import { apns } from './apns.mjs';
import { fcm } from './fcm.mjs';
import { Suite } from './suite.mjs';
import { webhook } from './webhook.mjs';
import { webPush } from './webpush.mjs';

const [binary] = process.argv.slice(2);
if (!binary) {
  console.error('usage: node run.mjs PATH_OF_THE_BINARY');
  process.exit(2);
}
const suite = new Suite(binary);
for (const part of [webPush, webhook, fcm, apns]) await part(suite);
await suite.end();
