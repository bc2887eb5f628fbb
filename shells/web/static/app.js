// The page at `/`: joins the client, the phone and the views. Start reading here, then client.js.

import { Api, ApiError } from './api.js';
import { Chat } from './chat.js';
import { Client } from './client.js';
import { avatar, byId, setText } from './dom.js';
import { drawList, summary } from './list.js';
import { LockScreen } from './lockscreen.js';
import { Memory } from './memory.js';
import { drawPhone } from './phone.js';
import { Progress } from './progress.js';
import { Timeline } from './timeline.js';
import { MODES, linkWords } from './words.js';

/** The key of a server in development mode. */
const DEVELOPMENT_KEY = 'dev';
const LOOK_EVERY_MS = 1_000;

const memory = new Memory();

// Signing in

async function signIn(uid, key) {
  const api = new Api(key);
  // Tells a wrong name or key from a server that is away, before anything is drawn.
  await api.token(uid, memory.deviceId);
  memory.uid = uid;
  new Page(api, uid).start();
}

async function trySignIn(uid) {
  const key = byId('key').value || DEVELOPMENT_KEY;
  try {
    await signIn(uid, key);
  } catch (error) {
    const needsKey = error instanceof ApiError && error.status === 401;
    const isFirst = needsKey && byId('key-row').hidden;
    if (needsKey) byId('key-row').hidden = false;
    byId('uid').value = uid;
    const message = error instanceof ApiError ? error.message : 'The server does not answer.';
    setText(byId('sign-in-error'), isFirst ? 'This server asks for its admin key.' : message);
    byId(needsKey ? 'key' : 'uid').focus();
  }
}

function offerSignIn() {
  byId('sign-in-form').addEventListener('submit', (event) => {
    event.preventDefault();
    trySignIn(byId('uid').value.trim());
  });
  for (const pick of document.querySelectorAll('.pick')) {
    pick.addEventListener('click', () => trySignIn(pick.dataset.uid));
  }
  byId('uid').value = new URLSearchParams(location.search).get('as') ?? '';
  if (memory.uid) trySignIn(memory.uid);
  else byId('uid').focus();
}

// Signed in

class Page {
  #api;
  #client;
  #screen = new LockScreen(memory);
  #progress;
  #chat;
  #timeline;
  #isLooking = false;

  constructor(api, uid) {
    this.#api = api;
    const url = new URL('/v1/ws', location.href);
    url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    this.#client = new Client({
      url,
      uid,
      deviceId: memory.deviceId,
      api,
      memory,
      hear: (event, detail) => this.#heard(event, detail),
    });
    this.#progress = new Progress(api, this.#client);
    this.#chat = new Chat({
      uid,
      ticks: (conversation) => this.#progress.ticks(conversation),
      explain: (message) => this.#explain(message),
      retry: (message) => this.#client.retry(message),
    });
    this.#timeline = new Timeline({
      trace: (id, user) => api.trace(id, user),
      recall: (message) => {
        const conversation = this.#client.conversations.get(message.conversation);
        return this.#client.recall(conversation, message.seq);
      },
    });
  }

  start() {
    const { uid, deviceId, link } = this.#client;
    byId('sign-in').hidden = true;
    byId('app').hidden = false;
    setText(byId('me'), uid);
    setText(byId('device'), deviceId);
    byId('me-picture').replaceChildren(avatar(uid));
    const other = uid === 'bob' ? 'alice' : 'bob';
    for (const id of ['try-other', 'try-peer']) setText(byId(id), other);
    byId('second-tab').href = `/?as=${other}`;
    byId('try-write').addEventListener('click', () => this.#open(this.#client.chatWith(other)));
    this.#bindChats();
    this.#bindChat();
    this.#bindPhone();
    this.#bindLink();
    this.#view('chats');
    this.#drawMode();
    this.#drawPhone();
    this.#drawChat();
    link.start();
    setInterval(() => this.#look(), LOOK_EVERY_MS);
    document.addEventListener('visibilitychange', () => this.#look());
    byId('peer').focus();
  }

  // Controls

  #bindChats() {
    byId('start-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const peer = byId('peer').value.trim();
      if (!peer) return;
      byId('peer').value = '';
      this.#open(this.#client.chatWith(peer));
    });
    byId('group-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#createGroup();
    });
  }

  async #createGroup() {
    const members = byId('group-members').value.split(/[\s,]+/).filter(Boolean);
    setText(byId('chats-error'), '');
    try {
      this.#open(await this.#client.createGroup(byId('group-id').value.trim(), members));
      byId('group-form').reset();
      byId('group-form').parentElement.open = false;
    } catch (error) {
      setText(byId('chats-error'), `The group was not made: ${error.message}`);
    }
  }

  #bindChat() {
    const text = byId('text');
    const send = () => {
      const said = text.value.trim();
      const { open } = this.#client;
      if (!said || !open || text.disabled) return;
      try {
        this.#client.send(open, said);
        text.value = '';
      } catch (error) {
        setText(byId('live'), error.message);
      }
    };
    byId('send-form').addEventListener('submit', (event) => {
      event.preventDefault();
      send();
    });
    text.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      send();
    });
    byId('older').addEventListener('click', () => this.#client.older(this.#client.open));
    byId('show-try').addEventListener('click', () => this.#view('chat'));
    byId('back').addEventListener('click', () => this.#view('chats'));
    for (const tab of document.querySelectorAll('button[data-view]')) {
      tab.addEventListener('click', () => this.#view(tab.dataset.view));
    }
  }

  #bindPhone() {
    for (const button of document.querySelectorAll('button[data-mode]')) {
      button.addEventListener('click', () => this.#setMode(button.dataset.mode));
    }
    byId('grace').addEventListener('change', () => {
      if (this.#client.mode === 'background') this.#setMode('background');
    });
    byId('wake').addEventListener('click', () => this.#setMode('foreground'));
  }

  #bindLink() {
    const { link } = this.#client;
    byId('retry').addEventListener('click', () => link.retry());
    window.addEventListener('online', () => link.retry());
    byId('taken-back').addEventListener('click', () => link.start());
    byId('taken-new').addEventListener('click', () => {
      const { uid } = memory;
      memory.forget();
      memory.uid = uid;
      location.reload();
    });
    byId('sign-out').addEventListener('click', async () => {
      await this.#client.signOut();
      memory.forget();
      location.assign('/');
    });
  }

  #setMode(mode) {
    this.#client.setMode(mode, { postsItself: byId('grace').checked });
    this.#drawMode();
  }

  #view(name) {
    document.body.dataset.view = name;
    for (const tab of document.querySelectorAll('button[data-view]')) {
      if (tab.dataset.view === name) tab.setAttribute('aria-current', 'page');
      else tab.removeAttribute('aria-current');
    }
    if (name === 'chat') this.#drawChat();
  }

  #open(conversation) {
    this.#client.show(conversation);
    this.#view('chat');
    this.#drawChat();
    // A keyboard of glass would cover what was just opened.
    if (matchMedia('(pointer: fine)').matches) byId('text').focus();
  }

  // What the client says

  #heard(event, detail) {
    if (event === 'link') this.#drawLink();
    if (event === 'badge') this.#drawBadge();
    if (event === 'conversations') this.#drawList();
    if (event === 'messages') {
      this.#drawList();
      if (detail === this.#client.open) this.#drawChat();
    }
    if (event === 'incoming') setText(byId('live'), `${detail.from}: ${summary(detail)}`);
    if (event === 'post') this.#post(detail);
    if (event === 'withdraw') this.#screen.withdraw(detail);
    if (event === 'surfaced') this.#screen.clear(detail.id, detail.tail);
    if (['post', 'withdraw', 'surfaced', 'badge'].includes(event)) this.#drawPhone();
  }

  #post(message) {
    const conversation = this.#client.conversations.get(message.conversation);
    const isGroup = conversation?.kind === 'group';
    this.#screen.post({
      nid: `m.${message.message_id}`,
      mid: message.message_id,
      conversation: message.conversation,
      seq: message.seq,
      title: isGroup ? `${message.from} · ${conversation.title}` : message.from,
      body: summary(message),
      at: Date.now(),
    });
  }

  // What has to be asked for

  async #look() {
    if (document.hidden || this.#isLooking) return;
    this.#isLooking = true;
    const [hasMoved] = await Promise.all([this.#progress.look(), this.#lookAtPushes()]);
    this.#isLooking = false;
    if (hasMoved) this.#drawChat();
    this.#drawLink();
    this.#drawPhone();
  }

  async #lookAtPushes() {
    const { uid, deviceId, conversations } = this.#client;
    const pushes = await this.#api.pushes().catch(() => null);
    const mine = pushes?.filter((push) => push.uid === uid && push.device_id === deviceId);
    if (!mine) return;
    this.#screen.apply(mine, (id, seq) => {
      const conversation = conversations.get(id);
      return conversation && seq <= Math.max(conversation.shown, conversation.readSeq);
    });
  }

  #explain(message) {
    const { uid, open, link } = this.#client;
    const isOwn = message.from === uid;
    this.#timeline.show({
      id: message.message_id,
      text: summary(message),
      from: message.from,
      users: isOwn ? this.#client.recipients(open) : [uid],
      canRecall: isOwn && message.content !== null && link.state === 'online',
      message,
    });
  }

  // Drawing

  #drawList() {
    const { conversations, drafts, open } = this.#client;
    drawList([...conversations.values(), ...drafts], open, (chosen) => this.#open(chosen));
  }

  #drawChat() {
    this.#chat.draw(this.#client.open);
  }

  #drawPhone() {
    drawPhone(this.#screen, {
      open: (note) => this.#tap(note),
      explain: ({ mid, title, body }) =>
        this.#timeline.show({ id: mid, text: body, from: title, users: [this.#client.uid] }),
    });
    const count = this.#screen.notes.length;
    setText(byId('phone-count'), count ? String(count) : '');
    byId('phone-count').hidden = !count;
  }

  /** A tap on a notification brings the app to the screen, with its conversation open. */
  #tap(note) {
    this.#setMode('foreground');
    const conversation = this.#client.conversations.get(note.conversation);
    if (conversation) this.#open(conversation);
  }

  #drawLink() {
    const { link, mode } = this.#client;
    const pill = byId('link');
    const isGrace = this.#client.isInGrace ? ', grace' : '';
    const isBehind = mode === 'background' && link.state === 'online';
    setText(pill, isBehind ? `background${isGrace}` : linkWords(link, Date.now()));
    pill.dataset.state = isBehind ? 'background' : link.state;
    byId('retry').hidden = link.state !== 'waiting';
    byId('taken').hidden = link.state !== 'ended';
    const isTaken = link.reason === 'replaced';
    const text = isTaken ? 'Another tab is connected as this device.' : 'This device was signed out.';
    setText(byId('taken-text'), text);
  }

  #drawMode() {
    const { mode } = this.#client;
    for (const button of document.querySelectorAll('button[data-mode]')) {
      button.setAttribute('aria-pressed', String(button.dataset.mode === mode));
    }
    setText(byId('mode-help'), MODES[mode]);
    const isAway = mode === 'background' || mode === 'frozen';
    byId('mode-banner').hidden = !isAway;
    const text = mode === 'frozen' ? 'The app is frozen.' : 'The app is in the background.';
    setText(byId('mode-text'), text);
    byId('text').disabled = isAway;
    byId('send').disabled = isAway;
    document.body.dataset.mode = mode;
  }

  #drawBadge() {
    const { badge, uid } = this.#client;
    this.#screen.setBadge(badge);
    const { unread } = badge;
    const count = byId('badge');
    setText(byId('badge-count'), String(unread));
    count.hidden = !unread;
    document.title = `${unread ? `(${unread}) ` : ''}${uid} · Nightjar`;
    this.#drawList();
  }
}

offerSignIn();
