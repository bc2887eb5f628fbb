// Writes a message for an operator, after it showed what would become of it.

import { byId, clockSeconds, el, setText } from './dom.js';

/** What stands before the name of a group. */
const GROUP = 'group:';
const DECISIONS = { push: 'pushed', hold: 'pushed later', silent: 'silent' };

export class Composer {
  #api;
  /** What was explained, as it was. */
  #explained = null;

  constructor(api) {
    this.#api = api;
    byId('compose-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#explain();
    });
    byId('compose-form').addEventListener('input', () => this.#forget());
    byId('send').addEventListener('click', () => this.#send());
  }

  #draft() {
    const value = (id) => byId(id).value.trim();
    const isGroup = value('to').startsWith(GROUP);
    const to = isGroup ? { group: value('to').slice(GROUP.length) } : { user: value('to') };
    const push = { force: byId('force').checked, silent: byId('silent').checked };
    if (value('title')) push.title = value('title');
    if (value('body')) push.body = value('body');
    return { from: value('from'), to, content: { type: 'text', text: value('text') }, push };
  }

  /** What was explained is not what stands there any more. */
  #forget() {
    this.#explained = null;
    byId('send').disabled = true;
    setText(byId('send-help'), 'Explain it first: nothing is sent until you say so.');
  }

  async #explain() {
    const draft = this.#draft();
    await this.#say(async () => {
      const devices = await this.#api.explain(draft);
      byId('decisions').replaceChildren(...devices.map(decision));
      this.#explained = draft;
      byId('send').disabled = false;
      setText(byId('send-help'), 'This is as of now. Sending it decides anew.');
      const pushed = devices.filter((line) => line.decision === 'push').length;
      return devices.length ? `${pushed} of ${devices.length} would be pushed now.` : 'Nobody would be told.';
    });
  }

  async #send() {
    const draft = this.#explained;
    if (!draft) return;
    this.#forget();
    await this.#say(async () => {
      const { message_id } = await this.#api.send(draft);
      byId('text').value = '';
      return `Sent as ${message_id}.`;
    });
  }

  async #say(act) {
    const note = byId('compose-note');
    try {
      setText(note, await act());
      note.dataset.state = 'good';
    } catch (error) {
      note.dataset.state = 'bad';
      setText(note, error.message);
    }
  }
}

function decision({ uid, device_id, decision: what, reason, until, title, body }) {
  const shown = [title, body].filter(Boolean).join(': ');
  return el(
    'li',
    { class: 'entry' },
    el(
      'p',
      { class: 'entry-head' },
      el('span', { class: 'pill', 'data-state': what }, DECISIONS[what] ?? what),
      el('strong', {}, device_id ? `${uid} / ${device_id}` : uid),
      until ? el('span', { class: 'entry-time' }, `until ${clockSeconds(until)}`) : null,
    ),
    el('p', { class: 'entry-line' }, shown ? `${reason} · ${shown}` : reason),
  );
}
