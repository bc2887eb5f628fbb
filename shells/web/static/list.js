// The column of conversations.

import { avatar, byId, clock, el, reconcile, setText } from './dom.js';

/** What a message says in one line. */
export function summary(message) {
  if (!message) return 'No messages yet';
  const { content } = message;
  if (!content || content.type === 'recalled') return 'Taken back';
  if (content.type === 'text') return content.text;
  if (content.type === 'recall') return 'A message was taken back';
  if (content.type === 'members') return 'The members changed';
  if (content.type === 'edit') return 'A message was edited';
  if (content.type === 'reaction') {
    return content.remove ? `${content.emoji} was taken back` : `${content.emoji} to a message`;
  }
  return `[${content.type}]`;
}

const lastOf = (conversation) => conversation.last() ?? conversation.preview ?? null;

/** Draws `conversations`, the one with the newest message first; `open(conversation)` on a click. */
export function drawList(conversations, opened, open) {
  const sorted = conversations.toSorted(
    (a, b) => (lastOf(b)?.at ?? Infinity) - (lastOf(a)?.at ?? Infinity),
  );
  byId('no-chats').hidden = sorted.length > 0;
  const list = byId('chat-list');
  const key = (conversation) => conversation.id ?? `draft ${conversation.peer}`;
  const make = (conversation) => rowOf(conversation, open);
  reconcile(list, sorted, key, make, (row, conversation) => fill(row, conversation, opened));
}

function rowOf(conversation, open) {
  const button = el(
    'button',
    { class: 'chat-row', type: 'button' },
    avatar(conversation.title),
    el('span', { class: 'chat-name' }),
    el('span', { class: 'chat-time' }),
    el('span', { class: 'chat-preview' }),
    el('span', { class: 'count' }),
  );
  const row = el('li', {}, button);
  button.addEventListener('click', () => open(row.conversation));
  return row;
}

function fill(row, conversation, opened) {
  row.conversation = conversation;
  const button = row.firstElementChild;
  const [picture, name, time, preview, count] = button.children;
  const last = lastOf(conversation);
  const isUnnamed = name.textContent !== conversation.title;
  if (isUnnamed) picture.replaceWith(avatar(conversation.title));
  setText(name, conversation.title);
  setText(time, last ? clock(last.at) : '');
  setText(preview, summary(last));
  setText(count, conversation.unread ? String(conversation.unread) : '');
  count.hidden = !conversation.unread;
  if (conversation.unread) count.setAttribute('aria-label', `${conversation.unread} unread`);
  if (conversation === opened) button.setAttribute('aria-current', 'true');
  else button.removeAttribute('aria-current');
}
