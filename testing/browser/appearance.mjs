// How the page looks: on small and large screens, by day and by night. axe finds nothing, nothing
// moves sideways, and the pictures are there to be looked at.

import { equal } from './suite.mjs';

const SIZES = [
  { width: 390, height: 844 },
  { width: 1280, height: 860 },
];
const WIDTHS = [320, 390, 768, 940, 1280, 1920];
const SCHEMES = ['light', 'dark'];
const LONG = 'https://example.org/' + 'a-very-long-address-without-any-place-to-break/'.repeat(4);

export async function appearance(suite) {
  for (const colorScheme of SCHEMES) {
    for (const size of SIZES) await oneLook(suite, { ...size, colorScheme });
  }
}

async function oneLook(suite, look) {
  const name = `${look.width} ${look.colorScheme}`;
  const newcomer = await suite.tab(look);
  await held(suite, newcomer, look, 'sign-in');
  await newcomer.signIn(suite.user(`newcomer-${look.colorScheme}-${look.width}`));
  await newcomer.view('chat');
  await newcomer.page.getByRole('heading', { name: 'Try this' }).waitFor();
  await held(suite, newcomer, look, 'empty');

  const [dora, emil] = ['dora', 'emil'].map((one) => suite.user(`${one}-${look.colorScheme[0]}${look.width}`));
  const writer = await suite.signedIn(dora, look);
  const owner = await suite.signedIn(emil, look);
  await talk(writer, owner, dora, emil);
  await writer.view('chats');
  await held(suite, writer, look, 'chats');
  await writer.view('chat');
  await held(suite, writer, look, 'chat');
  await owner.view('phone');
  await held(suite, owner, look, 'phone');
  await owner.view('phone');
  await owner.page.getByRole('button', { name: /Why/ }).first().click();
  await owner.steps('provider');
  await held(suite, owner, look, 'timeline');
  await owner.closeTimeline();
  await suite.close(`look ${name}`, [newcomer, writer, owner]);
}

/** Enough to see: both sides, all ticks, a link, notifications on a sleeping phone. */
async function talk(writer, owner, dora, emil) {
  await writer.openChat(emil);
  await owner.openChat(dora);
  await writer.say('Evening! Did the nightjar call again?');
  await writer.tick('nightjar', 'read');
  await owner.say('All night long. It sits on the old fence.');
  await writer.message('old fence').waitFor();
  await writer.say(LONG);
  await owner.message('example.org').waitFor();
  await writer.tick('example.org', 'read');
  await owner.mode('Background');
  await owner.link('background');
  await writer.view('chat');
  await writer.say('I will bring the microphone at ten.');
  await owner.note('microphone').waitFor();
  await writer.say('And tea.');
  await owner.note('And tea.').waitFor();
  await writer.tick('And tea.', 'pushed');
}

async function held(suite, tab, look, what) {
  const name = `${what} ${look.width} ${look.colorScheme}`;
  await suite.shot(tab, name.replaceAll(' ', '-'));
  await suite.check(`axe finds nothing: ${name}`, async () => equal(await tab.axe(), []));
  await suite.check(`nothing scrolls sideways or is cut: ${name}, ${WIDTHS.join(' ')} px`, async () => {
    for (const width of WIDTHS) {
      await tab.page.setViewportSize({ width, height: look.height });
      equal([width, await tab.sideways(), await tab.cut()], [width, [], []]);
    }
    await tab.page.setViewportSize({ width: look.width, height: look.height });
  });
}
