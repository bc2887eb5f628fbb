// The promise of the house, seen by a person: a phone that is asleep is told, and what was read
// elsewhere is taken back.

import { equal } from './suite.mjs';

export async function phone(suite) {
  const [writer, owner] = ['nora', 'otto'].map((name) => suite.user(name));
  const alice = await suite.signedIn(writer);
  const bob = await suite.signedIn(owner);
  await alice.openChat(owner);
  await bob.openChat(writer);
  await alice.say('Good evening');
  await alice.tick('Good evening', 'read');

  await inTheBackground(suite, alice, bob);
  await withGrace(suite, alice, bob);
  await frozen(suite, alice, bob);
  const tablet = await readElsewhere(suite, alice, bob, [writer, owner]);
  await thawed(suite, alice, bob);
  await offline(suite, alice, bob);
  await suite.close('phone', [alice, bob, tablet]);
}

async function inTheBackground(suite, alice, bob) {
  await suite.check('background: stored, not seen, so it is pushed at once, and the trace says why', async () => {
    await bob.mode('Background');
    await bob.link('background');
    await alice.say('Are you in the background?');
    await bob.note('Are you in the background?').waitFor();
    await alice.tick('Are you in the background?', 'pushed');
    await alice.tick('Are you in the background?', 'stored');
    await alice.explain('Are you in the background?', 'background', 'provider', await bob.device());
    await alice.closeTimeline();
  });

  await suite.check('background: a tap on the notification opens the chat and clears it', async () => {
    await bob.note('Are you in the background?').locator('.note-open').click();
    await bob.link('online');
    await bob.note('Are you in the background?').waitFor({ state: 'detached' });
    await bob.line('Cleared', 'Are you in the background?').waitFor();
    await alice.tick('Are you in the background?', 'read');
  });
}

async function withGrace(suite, alice, bob) {
  await suite.check('grace: the app posts the notification itself and nothing is pushed', async () => {
    await bob.page.getByLabel('posts its own notifications').check();
    await bob.mode('Background');
    await bob.link('grace');
    await alice.say('Do you post it yourself?');
    await bob.note('Do you post it yourself?').locator('.note-how', { hasText: 'posted by the app' }).waitFor();
    await alice.tick('Do you post it yourself?', 'surfaced');
    equal(await alice.message('Do you post it yourself?').locator('.tick-pushed').count(), 0);
    await bob.page.getByLabel('posts its own notifications').uncheck();
    await bob.mode('On screen');
    await bob.note('Do you post it yourself?').waitFor({ state: 'detached' });
    await alice.tick('Do you post it yourself?', 'read');
  });
}

async function frozen(suite, alice, bob) {
  await suite.check('frozen: the deadline passes and the phone is pushed', async () => {
    await bob.mode('Frozen');
    await bob.link('socket open');
    await alice.say('Did you fall asleep?');
    await bob.note('Did you fall asleep?').waitFor();
    equal(await bob.message('Did you fall asleep?').count(), 0);
    await alice.explain('Did you fall asleep?', 'foreground_deadline', 'provider');
    await suite.shot(alice, 'timeline-1280-light');
    await alice.closeTimeline();
  });

  await suite.check('frozen: from then on nothing is waited for', async () => {
    await alice.say('Second try');
    await bob.note('Second try').waitFor();
    await alice.explain('Second try', 'unresponsive', 'provider');
    await alice.closeTimeline();
  });

  await suite.check('frozen: the notification explains itself too', async () => {
    await bob.note('Second try').getByRole('button', { name: /Why/ }).click();
    await bob.steps('unresponsive');
    await bob.closeTimeline();
  });
}

async function readElsewhere(suite, alice, bob, [writer, owner]) {
  const tablet = await suite.signedIn(owner);
  await suite.check('read on another device: the sleeping phone takes it back', async () => {
    await tablet.openChat(writer);
    await tablet.message('Second try').waitFor();
    await alice.tick('Second try', 'read');
    await bob.note('Second try').waitFor({ state: 'detached' });
    await bob.note('Did you fall asleep?').waitFor({ state: 'detached' });
    await bob.line('Withdrawn', 'Second try').waitFor();
    await alice.explain('Second try', 'read', 'withdrawn');
    await alice.closeTimeline();
    // It would read what comes next before the phone is told.
    await tablet.mode('Offline');
  });
  return tablet;
}

async function thawed(suite, alice, bob) {
  await suite.check('thawed: everything is there once, in order, and the chat goes on', async () => {
    await bob.page.getByRole('button', { name: 'Bring it back' }).click();
    await bob.link('online');
    await bob.message('Second try').waitFor();
    const texts = await bob.texts();
    const last = ['Do you post it yourself?', 'Did you fall asleep?', 'Second try'];
    equal(texts.slice(-last.length), last);
    await bob.say('Now I am awake');
    await alice.message('Now I am awake').waitFor();
  });
}

async function offline(suite, alice, bob) {
  await suite.check('offline: pushed, and what was written waits in the outbox', async () => {
    await bob.mode('Offline');
    await bob.link('offline');
    await bob.say('Written in a tunnel');
    await bob.tick('Written in a tunnel', 'waiting');
    await alice.say('Where are you?');
    await bob.note('Where are you?').waitFor();
    await alice.explain('Where are you?', 'offline');
    await alice.closeTimeline();
  });

  await suite.check('online again: it is sent exactly once', async () => {
    await bob.mode('On screen');
    await bob.link('online');
    await bob.tick('Written in a tunnel', 'read');
    await bob.message('Where are you?').waitFor();
    await alice.tick('Where are you?', 'read');
    equal((await alice.texts()).filter((text) => text === 'Written in a tunnel').length, 1);
  });
}
