// What providers answered, attempt by attempt, the newest first.

import { byId, clockSeconds, el, reconcile, setText } from './dom.js';

/** Attempts that stay on the page. */
const SHOWN_MAX = 100;
const STATES = { delivered: 'delivered', retry: 'later', throttled: 'later', too_large: 'later' };

export class Outcomes {
  #api;
  #next;
  #shown = [];

  constructor(api) {
    this.#api = api;
  }

  async look() {
    const { outcomes, next } = await this.#api.outcomes(this.#next, SHOWN_MAX);
    const first = next - outcomes.length + 1;
    const fresh = outcomes.map((outcome, index) => ({ ...outcome, number: first + index }));
    this.#next = next;
    this.#shown = [...fresh.reverse(), ...this.#shown].slice(0, SHOWN_MAX);
    byId('no-outcomes').hidden = this.#shown.length > 0;
    if (fresh.length > 0) {
      reconcile(byId('outcome-list'), this.#shown, ({ number }) => String(number), make, fill);
    }
  }
}

const make = () =>
  el(
    'li',
    { class: 'entry' },
    el('p', { class: 'entry-head' }, el('span', { class: 'pill' }), el('strong'), el('span', { class: 'entry-time' })),
    el('p', { class: 'entry-line' }),
  );

function fill(node, { at, uid, device_id, provider, credential, outcome, reason, vendor, message_id }) {
  const pill = node.querySelector('.pill');
  pill.dataset.state = STATES[outcome] ?? 'refused';
  setText(pill, outcome);
  setText(node.querySelector('strong'), `${uid} / ${device_id}`);
  setText(node.querySelector('.entry-time'), clockSeconds(at));
  const what = message_id ? `message ${message_id}` : 'withdrawal';
  const line = [`${provider} · ${credential}`, reason, vendor, what].filter(Boolean).join(' · ');
  setText(node.querySelector('.entry-line'), line);
}
