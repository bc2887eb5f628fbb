// Two people and then three: messages both ways, ticks, unread counts, groups, and what is taken
// back.

import { equal } from './suite.mjs';

export async function conversations(suite) {
  const [writer, reader, third] = ['alice', 'bob', 'carol'].map((name) => suite.user(name));
  const alice = await suite.signedIn(writer);
  const bob = await suite.signedIn(reader);

  await suite.check('a message of somebody new is surfaced, and counts as unread', async () => {
    await alice.openChat(reader);
    await alice.say('Are you awake?');
    await bob.page.locator('#chat-list .chat-row', { hasText: writer }).locator('.count', { hasText: '1' }).waitFor();
    await bob.page.locator('#badge', { hasText: '1 unread' }).waitFor();
    await bob.page.waitForFunction(() => document.title.startsWith('(1) '));
    await alice.tick('Are you awake?', 'surfaced');
  });

  await suite.check('opened, it is read: badge gone, the sender sees it', async () => {
    await bob.page.locator('#chat-list .chat-row', { hasText: writer }).click();
    await bob.message('Are you awake?').waitFor();
    await bob.page.locator('#badge').waitFor({ state: 'hidden' });
    await bob.page.waitForFunction(() => !document.title.startsWith('('));
    await alice.tick('Are you awake?', 'read');
  });

  await suite.check('the answer comes back and is announced to screen readers', async () => {
    await bob.say('Wide awake.');
    await alice.message('Wide awake.').waitFor();
    await alice.page.locator('#live', { hasText: `${reader}: Wide awake.` }).waitFor({ state: 'attached' });
    await bob.tick('Wide awake.', 'read');
  });

  await suite.check('a burst arrives in order, each message once', async () => {
    const words = Array.from({ length: 20 }, (_, index) => `burst ${index + 1} of 20`);
    for (const word of words) await alice.say(word);
    await bob.message('burst 20 of 20').waitFor();
    equal((await bob.texts()).filter((text) => text.startsWith('burst')), words);
    await alice.tick('burst 20 of 20', 'read');
  });

  await suite.check('markup in a message stays text', async () => {
    await alice.say('<img src=x onerror="window.wasRun = 1"> & <b>bold</b>');
    await bob.message('<b>bold</b>').waitFor();
    equal(await bob.page.locator('#message-list img, #message-list b').count(), 0);
  });

  await suite.check('what is taken back is gone on both sides', async () => {
    await alice.say('That was a mistake');
    await bob.message('That was a mistake').waitFor();
    await alice.explain('That was a mistake', 'accepted');
    await alice.page.getByRole('button', { name: 'Take this message back' }).click();
    await alice.message('That was a mistake').waitFor({ state: 'detached' });
    await alice.closeTimeline();
    await bob.message('That was a mistake').waitFor({ state: 'detached' });
    await bob.message('Taken back').first().waitFor();
  });

  await suite.check('an edit and a reaction of another app are shown', async () => {
    await alice.say('See you at sevn');
    await bob.message('See you at sevn').waitFor();
    const seq = await anotherApp(alice.page, writer, reader);
    equal(seq, 2);
    for (const tab of [alice, bob]) {
      await tab.message('See you at seven').waitFor();
      await tab.message('See you at sevn').waitFor({ state: 'detached' });
      await tab.message('🦉 to a message').waitFor();
    }
  });

  const group = suite.user('nightowls');
  const carol = await suite.signedIn(third);
  await suite.check('a group reaches its members, and they can answer', async () => {
    await alice.page.getByText('New group').click();
    await alice.page.getByLabel('Name').fill(group);
    await alice.page.getByLabel('Members').fill(`${reader}, ${third}`);
    await alice.page.getByRole('button', { name: 'Create' }).click();
    await alice.page.locator('#chat-title', { hasText: group }).waitFor();
    await alice.say('Hello, night owls');
    for (const tab of [bob, carol]) {
      await tab.page.locator('#chat-list .chat-row', { hasText: group }).click();
      await tab.message('Hello, night owls').waitFor();
    }
    await carol.say('Carol is here');
    await bob.message('Carol is here').waitFor();
    await alice.message('Carol is here').waitFor();
    await alice.tick('Hello, night owls', 'read');
  });

  await suite.check('a reload of the tab is the same device, with its messages', async () => {
    const device = await bob.device();
    await bob.page.reload();
    await bob.link('online');
    equal(await bob.device(), device);
    await bob.page.locator('#chat-list .chat-row', { hasText: writer }).click();
    await bob.message('Wide awake.').waitFor();
    await bob.message('burst 20 of 20').waitFor();
  });

  await suite.close('conversations', [alice, bob, carol]);
}

/** Edits the newest text of `from` to `to` and reacts to it; answers how many were taken. */
function anotherApp(page, from, to) {
  return page.evaluate(async ([from, to]) => {
    const headers = { authorization: 'Bearer dev', 'content-type': 'application/json' };
    const ask = async (path, body) =>
      (await fetch(path, { method: body ? 'POST' : 'GET', headers, body })).json();
    const { token } = await ask(`/v1/users/${from}/tokens`, '{}');
    const conversation = `d:${[from, to].sort().join(':')}`;
    const { messages } = await ask(`/v1/conversations/${conversation}/messages?viewer=${from}`);
    const { seq } = messages.findLast((message) => message.content.type === 'text');
    const socket = new WebSocket(`ws://${location.host}/v1/ws`);
    const content = { type: 'text', text: 'See you at seven' };
    const hello = { token, device_id: 'another-app', platform: 'desktop', app_state: 'background' };
    const asked = [
      ['hello', hello],
      ['edit', { conversation, seq, content }],
      ['react', { conversation, seq, emoji: '🦉' }],
    ];
    return new Promise((resolve) => {
      let taken = -1;
      const next = () => {
        if (!asked.length) return (socket.close(), resolve(taken));
        const [command, body] = asked.shift();
        socket.send(JSON.stringify({ serial: 10 - asked.length, command, body }));
      };
      socket.onopen = next;
      socket.onmessage = ({ data }) => {
        const { serial, code } = JSON.parse(data);
        if (!serial) return;
        if (code === 0) taken += 1;
        next();
      };
    });
  }, [from, to]);
}
