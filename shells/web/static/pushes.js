// The page at `/pushes.html`: what operators watch and try. Start reading here.

import { Api, ApiError } from './api.js';
import { Composer } from './composer.js';
import { Credentials } from './credentials.js';
import { byId, setText } from './dom.js';
import { Outcomes } from './outcomes.js';

/** The key of a server in development mode. */
const DEVELOPMENT_KEY = 'dev';
const LOOK_EVERY_MS = 2_000;

async function open(key) {
  const api = new Api(key);
  const credentials = new Credentials(api);
  const outcomes = new Outcomes(api);
  // Tells a wrong key from a server that is away, before anything is shown.
  await credentials.look();
  await outcomes.look();
  new Composer(api);
  byId('key-form').hidden = true;
  for (const id of ['compose', 'credentials', 'outcomes']) byId(id).hidden = false;
  setInterval(async () => {
    if (document.hidden) return;
    // A server that is away for a moment is asked again.
    await Promise.allSettled([credentials.look(), outcomes.look()]);
  }, LOOK_EVERY_MS);
}

async function tryKey(key, isFirst) {
  try {
    await open(key);
  } catch (error) {
    byId('key-form').hidden = false;
    const message = error instanceof ApiError ? error.message : 'The server does not answer.';
    setText(byId('key-error'), isFirst && error.status === 401 ? '' : message);
    byId('key').focus();
  }
}

byId('key-form').addEventListener('submit', (event) => {
  event.preventDefault();
  tryKey(byId('key').value, false);
});
tryKey(DEVELOPMENT_KEY, true);
