// How far one's own messages came at the others. The native protocol does not tell a sender, so
// the traces of the last few are read; a later message that came far took the earlier ones along.

import { isNews } from './conversation.js';

export const LEVELS = ['sent', 'delivered', 'stored', 'surfaced', 'read'];
const MESSAGES_MAX = 8;
const RECIPIENTS_MAX = 5;
/** Questions in one round. */
const ASKED_MAX = 10;
const KNOWN_MAX = 1_000;

/** The furthest level of a trace, and whether a provider took a push. */
export function levelOf(events) {
  let level = 0;
  let isPushed = false;
  for (const { step, reason = '' } of events) {
    level = Math.max(level, LEVELS.indexOf(step));
    if (step === 'provider' && reason.startsWith('delivered')) isPushed = true;
  }
  return { level, isPushed };
}

/** What people wrote; what is said of it has no ticks. */
const isWaitedFor = ({ message_id: id, content }) => id && !isNews(content);

export class Progress {
  #api;
  #client;
  #known = new Map();
  #next = 0;

  constructor(api, client) {
    this.#api = api;
    this.#client = client;
  }

  /** Reads a few traces of the open conversation; answers whether a tick moved. */
  async look() {
    const { open, link, uid } = this.#client;
    if (!open || link.state !== 'online') return false;
    const own = open.entries().filter((entry) => entry.from === uid && isWaitedFor(entry));
    const recipients = this.#client.recipients(open).slice(0, RECIPIENTS_MAX);
    const pairs = own.slice(-MESSAGES_MAX).flatMap((message) =>
      recipients
        .map((recipient) => ({ id: message.message_id, recipient }))
        .filter((pair) => this.#at(pair).level < LEVELS.length - 1),
    );
    if (!pairs.length) return false;
    const asked = Array.from({ length: Math.min(ASKED_MAX, pairs.length) }, (_, index) =>
      pairs[(this.#next + index) % pairs.length],
    );
    this.#next += asked.length;
    const moved = await Promise.all(asked.map((pair) => this.#ask(pair)));
    return moved.includes(true);
  }

  #at({ id, recipient }) {
    return this.#known.get(`${id} ${recipient}`) ?? { level: 0, isPushed: false };
  }

  async #ask(pair) {
    const events = await this.#api.trace(pair.id, pair.recipient).catch(() => null);
    if (!events) return false;
    const before = this.#at(pair);
    const now = levelOf(events);
    this.#known.set(`${pair.id} ${pair.recipient}`, now);
    if (this.#known.size > KNOWN_MAX) this.#known.delete(this.#known.keys().next().value);
    return now.level !== before.level || now.isPushed !== before.isPushed;
  }

  /** `{level, isPushed}` of each own message by its id: as far as *everybody* it was for. */
  ticks(conversation) {
    const recipients = this.#client.recipients(conversation).slice(0, RECIPIENTS_MAX);
    const reached = new Map(recipients.map((recipient) => [recipient, 0]));
    const ticks = new Map();
    for (const { message_id: id, from } of conversation.entries().toReversed()) {
      if (from !== this.#client.uid || !id) continue;
      let isPushed = false;
      for (const recipient of recipients) {
        const known = this.#at({ id, recipient });
        reached.set(recipient, Math.max(reached.get(recipient), known.level));
        isPushed ||= known.isPushed;
      }
      const level = recipients.length ? Math.min(...reached.values()) : 0;
      ticks.set(id, { level: LEVELS[level], isPushed });
    }
    return ticks;
  }
}
