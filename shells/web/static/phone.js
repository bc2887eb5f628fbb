// The phone beside the chat: its lock screen, and what happened on it.

import { byId, clock, clockSeconds, el, reconcile, setText } from './dom.js';

const WORDS = {
  pushed: 'Pushed',
  posted: 'Posted by the app',
  replaced: 'Replaced',
  withdrawn: 'Withdrawn',
  cleared: 'Cleared',
};

/** `ports`: `open(note)` as a tap does; `explain(note)`. */
export function drawPhone(screen, ports) {
  setText(byId('phone-clock'), clock(Date.now()));
  setText(
    byId('phone-date'),
    new Date().toLocaleDateString([], { weekday: 'long', day: 'numeric', month: 'long' }),
  );
  const badge = byId('phone-badge');
  setText(badge, String(screen.badge));
  badge.hidden = screen.badge === 0;
  badge.setAttribute('aria-label', `${screen.badge} unread`);
  const { notes, log } = screen;
  byId('no-notes').hidden = notes.length > 0;
  reconcile(byId('notes'), notes, ({ nid }) => nid, () => noteOf(ports), fillNote);
  byId('no-log').hidden = log.length > 0;
  const key = ({ at, what, nid }) => `${at} ${what} ${nid}`;
  reconcile(byId('log'), log, key, lineOf, () => {});
}

function noteOf(ports) {
  const open = el(
    'button',
    { class: 'note-open', type: 'button' },
    el('span', { class: 'note-top' }, el('span', { class: 'note-title' }), el('span', { class: 'note-time' })),
    el('span', { class: 'note-body' }),
  );
  const explain = el('button', { class: 'note-why', type: 'button' }, 'Why?');
  const node = el(
    'li',
    { class: 'note' },
    open,
    el('p', { class: 'note-foot' }, el('span', { class: 'note-how' }), explain),
  );
  open.addEventListener('click', () => ports.open(node.note));
  explain.addEventListener('click', () => ports.explain(node.note));
  return node;
}

function fillNote(node, note) {
  node.note = note;
  setText(node.querySelector('.note-title'), note.title || 'Nightjar');
  setText(node.querySelector('.note-time'), clock(note.at));
  setText(node.querySelector('.note-body'), note.body || 'New message');
  setText(node.querySelector('.note-how'), note.how === 'posted' ? 'posted by the app' : 'pushed');
  const label = `Why was this notification shown: ${note.title ?? ''} ${note.body ?? ''}`;
  node.querySelector('.note-why').setAttribute('aria-label', label);
}

function lineOf({ at, what, why, nid, text }) {
  return el(
    'li',
    { class: `line line-${what}` },
    el('span', { class: 'line-time' }, clockSeconds(at)),
    el(
      'span',
      { class: 'line-body' },
      el('strong', {}, WORDS[what] ?? what),
      why ? ` ${why}` : '',
      el('span', { class: 'line-text' }, text),
      el('code', {}, nid),
    ),
  );
}
