// The dialog with the recorded life of one message for one user.

import { byId, clockSeconds, el, reconcile, setText } from './dom.js';
import { describe } from './words.js';

const LOOK_EVERY_MS = 1_000;

/** `ports`: `trace(messageId, uid)` and `recall(message)`. */
export class Timeline {
  #ports;
  #dialog = byId('timeline');
  #subject = null;
  #timer = 0;

  constructor(ports) {
    this.#ports = ports;
    byId('timeline-close').addEventListener('click', () => this.#dialog.close());
    byId('timeline-for').addEventListener('change', () => this.#look());
    byId('timeline-recall').addEventListener('click', () => this.#recall());
    this.#dialog.addEventListener('close', () => {
      clearTimeout(this.#timer);
      this.#subject = null;
    });
    // A click on the backdrop reaches the dialog itself.
    this.#dialog.addEventListener('click', (event) => {
      if (event.target === this.#dialog) this.#dialog.close();
    });
  }

  /** `subject`: `{id, text, from, users, canRecall, message}`; `users` are those it was for. */
  show(subject) {
    this.#subject = subject;
    setText(byId('timeline-text'), subject.text);
    setText(byId('timeline-id'), subject.id);
    const options = subject.users.map((uid) => el('option', { value: uid }, uid));
    byId('timeline-for').replaceChildren(...options);
    byId('timeline-for-row').hidden = subject.users.length < 2;
    setText(byId('timeline-from'), `${subject.from} to ${subject.users.join(', ') || 'nobody else'}`);
    byId('timeline-recall').hidden = !subject.canRecall;
    byId('timeline-steps').replaceChildren();
    setText(byId('timeline-note'), 'Reading the trace…');
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#look();
  }

  async #look() {
    clearTimeout(this.#timer);
    const subject = this.#subject;
    const uid = byId('timeline-for').value || subject.from;
    try {
      const events = await this.#ports.trace(subject.id, uid);
      if (subject !== this.#subject) return;
      this.#draw(events, uid);
    } catch (error) {
      if (subject !== this.#subject) return;
      setText(byId('timeline-note'), `The trace could not be read: ${error.message}`);
    }
    this.#timer = setTimeout(() => this.#look(), LOOK_EVERY_MS);
  }

  #draw(events, uid) {
    const start = events.find(({ step }) => step === 'accepted')?.at ?? events[0]?.at;
    const seen = new Map();
    const rows = events.map((event) => {
      const name = [event.at, event.step, event.device_id, event.reason].join(' ');
      seen.set(name, (seen.get(name) ?? 0) + 1);
      return { event, name: `${uid} ${name} ${seen.get(name)}` };
    });
    const note = events.length
      ? 'Times are milliseconds since the server received the message.'
      : 'Nothing is recorded for this user.';
    setText(byId('timeline-note'), note);
    const steps = byId('timeline-steps');
    const make = ({ event }) => stepOf(event, event.at - start, uid);
    reconcile(steps, rows, ({ name }) => name, make, () => {});
  }

  async #recall() {
    const { message } = this.#subject;
    try {
      await this.#ports.recall(message);
      byId('timeline-recall').hidden = true;
      this.#look();
    } catch (error) {
      setText(byId('timeline-note'), `It could not be taken back: ${error.message}`);
    }
  }
}

/** The parts of a sentence, so that the name of the device is not broken at its hyphen. */
function wholeDevice(text, device) {
  const parts = device ? text.split(device) : [text];
  return parts.flatMap((part, index) =>
    index ? [el('span', { class: 'step-device' }, device), part] : [part],
  );
}

function stepOf(event, sinceMs, uid) {
  const { text, why } = describe(event, uid);
  const names = [event.step, event.reason, event.detail].filter(Boolean);
  return el(
    'li',
    { class: `step step-${event.step}` },
    el('span', { class: 'step-time', title: clockSeconds(event.at) }, `+${sinceMs} ms`),
    el(
      'div',
      { class: 'step-body' },
      el('p', { class: 'step-text' }, ...wholeDevice(text, event.device_id)),
      why && el('p', { class: 'step-why' }, why),
      el(
        'p',
        { class: 'step-names' },
        ...names.flatMap((name, index) => [index ? ' · ' : '', el('code', {}, name)]),
      ),
    ),
  );
}
