// The open conversation: messages with their ticks, and what is being written.

import { isNews } from './conversation.js';
import { avatar, byId, clock, el, icon, reconcile, setText } from './dom.js';
import { summary } from './list.js';

/** Closer to the end than this, new messages keep the end in view. */
const NEAR_END_PX = 80;

const TICKS = {
  waiting: ['clock', 'waiting'],
  failed: ['cross', 'not sent'],
  sent: ['tick', 'sent'],
  delivered: ['tick', 'sent'],
  stored: ['ticks', 'stored'],
  surfaced: ['ticks', 'surfaced'],
  read: ['ticks', 'read'],
};

/** `ports`: `uid`; `ticks(conversation)`; `explain(message)`; `retry(message)`. */
export class Chat {
  #ports;
  #shown = null;

  constructor(ports) {
    this.#ports = ports;
  }

  draw(conversation) {
    byId('chat-empty').hidden = conversation !== null;
    byId('chat-open').hidden = conversation === null;
    if (!conversation) {
      this.#shown = null;
      return;
    }
    const isOther = this.#shown !== conversation;
    this.#shown = conversation;
    this.#drawHead(conversation);
    const scroller = byId('messages');
    const left = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
    const stay = !isOther && left > NEAR_END_PX;
    const list = byId('message-list');
    if (isOther) list.replaceChildren();
    const ticks = this.#ports.ticks(conversation);
    const key = ({ client_msg_id: id, seq }) => id ?? `seq ${seq}`;
    const make = () => this.#bubble();
    reconcile(list, conversation.messages(), key, make, (node, message) =>
      this.#fill(node, message, ticks.get(message.message_id)),
    );
    byId('older').hidden = !conversation.hasOlder;
    if (!stay) scroller.scrollTop = scroller.scrollHeight;
  }

  #drawHead(conversation) {
    const { title, kind, members } = conversation;
    const picture = byId('chat-picture');
    if (byId('chat-title').textContent !== title) picture.replaceChildren(avatar(title));
    setText(byId('chat-title'), title);
    const who = kind === 'group' ? (members?.join(', ') ?? 'group') : 'direct chat';
    setText(byId('chat-who'), who);
    byId('message-list').classList.toggle('direct', kind === 'direct');
    byId('text').setAttribute('aria-label', `Message to ${title}`);
  }

  #bubble() {
    const button = el(
      'button',
      { class: 'bubble', type: 'button', title: 'Show its timeline' },
      el('span', { class: 'bubble-from' }),
      el('span', { class: 'bubble-text' }),
      el('span', { class: 'bubble-meta' }),
    );
    const node = el('li', { class: 'message' }, button);
    button.addEventListener('click', () => {
      const { message } = node;
      if (message.error) this.#ports.retry(message);
      else if (message.message_id) this.#ports.explain(message);
    });
    return node;
  }

  #fill(node, message, tick) {
    node.message = message;
    const isOwn = message.from === this.#ports.uid;
    const isText = message.content?.type === 'text';
    const news = isNews(message.content);
    const [from, text, meta] = node.firstElementChild.children;
    node.classList.toggle('own', isOwn && !news);
    node.classList.toggle('news', news);
    node.classList.toggle('quiet', !isText);
    setText(from, isOwn ? '' : message.from);
    setText(text, summary(message));
    const name = isOwn && !news ? tickOf(message, tick) : null;
    const state = `${clock(message.at)} ${name ?? ''} ${tick?.isPushed ?? ''} ${message.error ?? ''}`;
    if (meta.dataset.state === state) return;
    meta.dataset.state = state;
    meta.replaceChildren(clock(message.at), ...(name ? tickParts(name, message, tick) : []));
  }
}

function tickOf(message, tick) {
  if (message.error) return 'failed';
  if (!message.message_id) return 'waiting';
  return tick?.level ?? 'sent';
}

function tickParts(name, message, tick) {
  const [picture, word] = TICKS[name];
  const words = message.error ? `${word}: ${message.error}. Click to try again.` : word;
  const parts = [' ', el('span', { class: `tick tick-${name}` }, icon(picture), words)];
  const isWaitedFor = !['surfaced', 'read'].includes(name);
  if (tick?.isPushed && isWaitedFor) {
    parts.push(' ', el('span', { class: 'tick tick-pushed' }, icon('bell'), 'pushed'));
  }
  return parts;
}
