// Credentials, how they fare, and a test push.

import { byId, clockSeconds, el, reconcile, setText } from './dom.js';

const STATES = {
  good: 'good',
  failing: 'failing',
  unused: 'not used yet',
  unusable: 'cannot be opened',
};

export class Credentials {
  #api;

  constructor(api) {
    this.#api = api;
  }

  async look() {
    const all = await this.#api.credentials();
    byId('no-credentials').hidden = all.length > 0;
    reconcile(
      byId('credential-list'),
      all,
      ({ provider, name }) => `${provider} ${name}`,
      (credential) => this.#make(credential),
      fill,
    );
  }

  #make({ provider, name, source }) {
    const id = `test-${provider}-${name}`;
    const uid = el('input', { id, required: true, maxLength: 128, autocomplete: 'off', spellcheck: false });
    const test = el(
      'form',
      { class: 'entry-actions', onsubmit: (event) => this.#test(event, provider, name, uid) },
      el('div', {}, el('label', { htmlFor: id }, `Test ${name} on a device of`), uid),
      el('button', { type: 'submit' }, 'Send a test'),
      source === 'built_in' ? null : el('button', { type: 'button', class: 'turn' }),
    );
    test.querySelector('.turn')?.addEventListener('click', (event) =>
      this.#turn(provider, name, event.currentTarget.dataset.to === 'on'),
    );
    return el(
      'li',
      { class: 'entry' },
      el('p', { class: 'entry-head' }, el('strong'), el('span', { class: 'pill' }), el('span', { class: 'entry-time' })),
      el('p', { class: 'entry-line' }),
      test,
    );
  }

  async #test(event, provider, name, field) {
    event.preventDefault();
    await this.#say(async () => {
      const told = await this.#api.testPush(provider, name, field.value.trim());
      const { device_id, outcome, reason, vendor } = told;
      const words = [reason, vendor].filter(Boolean).join(', ');
      return { isBad: outcome !== 'delivered', text: `${name} to ${device_id}: ${outcome} (${words})` };
    });
  }

  async #turn(provider, name, enabled) {
    await this.#say(async () => {
      await this.#api.turnCredential(provider, name, enabled);
      return { text: `${name} is ${enabled ? 'on' : 'off: nothing is pushed through it'}.` };
    });
  }

  async #say(act) {
    const note = byId('credentials-note');
    try {
      const { text, isBad } = await act();
      note.dataset.state = isBad ? 'bad' : 'good';
      setText(note, text);
    } catch (error) {
      note.dataset.state = 'bad';
      setText(note, error.message);
    }
    await this.look().catch(() => {});
  }
}

function fill(node, { provider, name, source, enabled, health }) {
  setText(node.querySelector('strong'), `${provider} · ${name}`);
  const pill = node.querySelector('.pill');
  pill.dataset.state = enabled ? health.state : 'off';
  setText(pill, enabled ? STATES[health.state] : 'off');
  const last = health.last_success_at;
  setText(node.querySelector('.entry-time'), last ? `last taken ${clockSeconds(last)}` : '');
  const counts = Object.entries(health.answers ?? {}).map(([outcome, count]) => `${count} ${outcome}`);
  const failure = health.last_failure;
  const lines = [
    source === 'config' ? 'from the configuration file' : source === 'built_in' ? 'development mode' : 'created over the API',
    counts.join(', '),
    failure ? `last failure ${clockSeconds(failure.at)}: ${failure.outcome}, ${failure.reason}` : health.reason,
  ];
  setText(node.querySelector('.entry-line'), lines.filter(Boolean).join(' · '));
  const turn = node.querySelector('.turn');
  if (!turn) return;
  turn.dataset.to = enabled ? 'off' : 'on';
  setText(turn, enabled ? 'Turn off' : 'Turn on');
}
