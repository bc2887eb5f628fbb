// The app of one device: conversations, outbox, acknowledgements, read markers. No elements here.
// What it may do depends on `mode`, the switch of the page: `foreground`, `background`, `frozen`
// or `offline`.

import { Conversation } from './conversation.js';
import { Link } from './link.js';

/** The longest grace a client may ask for. */
const GRACE_MS = 25_000;
const HISTORY_PAGE = 50;
const FILL_PAGE = 200;
const FILL_PAGES_MAX = 5;
const SYNC_PAGES_MAX = 20;
const OUTBOX_MAX = 100;
/** Arrivals so close together cost one question for the unread counts. */
const COUNT_AFTER_MS = 100;
/** A refusal that a later attempt may survive; the message stays in the outbox. */
const PASSING = new Set(['offline', 'busy', 'draining', 'internal', 'rate_limited']);

/**
 * `hear(event, detail)` is called after every change: `link`; `conversations`; `messages`
 * (conversation); `incoming` (message); `badge`; `post` (message): show a notification for it;
 * `withdraw` (ids); `surfaced` (conversation): it is on the screen up to its `tail`.
 */
export class Client {
  mode = 'foreground';
  graceUntil = 0;
  badge = { unread: 0, bv: 0 };
  open = null;
  conversations = new Map();
  drafts = [];
  #api;
  #hear;
  #memory;
  #since;
  #order = 0;
  #countTimer = 0;
  #isSyncing = false;
  #pumping = new Set();

  /** `memory` keeps the resume token where a reload of the page finds it. */
  constructor({ url, uid, deviceId, api, memory, hear }) {
    Object.assign(this, { uid, deviceId });
    this.#api = api;
    this.#memory = memory;
    this.#hear = hear;
    this.link = new Link({
      url,
      hello: () => this.#hello(),
      online: (answer) => this.#online(answer),
      packet: (command, body) => this.#packet(command, body),
      changed: () => hear('link'),
    });
  }

  // The app and its connection

  get isOnScreen() {
    return this.mode === 'foreground';
  }

  /** Whether the app, in the background, still posts notifications itself. */
  get isInGrace() {
    return this.mode === 'background' && Date.now() < this.graceUntil;
  }

  setMode(mode, { postsItself = false } = {}) {
    const before = this.mode;
    this.mode = mode;
    this.graceUntil = mode === 'background' && postsItself ? Date.now() + GRACE_MS : 0;
    if (mode === 'frozen') this.link.freeze();
    else if (mode === 'offline') this.link.stop();
    else if (before === 'frozen' || before === 'offline') this.link.start();
    else this.#reportState();
    if (this.isOnScreen) this.#surfaceAll();
    this.#hear('link');
  }

  #stateReport() {
    if (this.isOnScreen) {
      return { state: 'foreground', ...(this.open?.id && { conversation: this.open.id }) };
    }
    return { state: 'background', grace_ms: Math.max(0, this.graceUntil - Date.now()) };
  }

  #reportState() {
    // The clock, so that a session resumed after a reload of the page still counts upwards.
    this.#order = Math.max(this.#order + 1, Date.now());
    this.#ask('app_state', { ...this.#stateReport(), order: this.#order });
  }

  async #hello() {
    const token = await this.#api.token(this.uid, this.deviceId);
    const { state, grace_ms } = this.#stateReport();
    return {
      token,
      device_id: this.deviceId,
      platform: 'web',
      client: 'nightjar-console',
      protocol: 1,
      app_state: state,
      ...(grace_ms && { grace_ms }),
      ...(this.#memory.resume && { resume: this.#memory.resume }),
    };
  }

  #online(answer) {
    this.#memory.resume = answer.resume;
    this.#setBadge(answer.unread, answer.bv);
    this.#reportState();
    if (this.isOnScreen) this.#surfaceAll();
    this.#pump();
    this.#sync();
  }

  /** Ends the session; the server forgets the device's bindings. */
  async signOut() {
    await this.#ask('logout', {});
    this.#memory.resume = null;
    this.link.stop();
  }

  /** A request whose failure needs no word: the next hello brings the state in order. */
  #ask(command, body) {
    return this.link.request(command, body).catch(() => null);
  }

  #packet(command, body) {
    if (command === 'deliver') this.#deliver(body.messages ?? []);
    if (command === 'read_marker') this.#readElsewhere(body);
    if (command !== 'withdraw') return undefined;
    this.#hear('withdraw', body.notification_ids ?? []);
    return {};
  }

  // Conversations

  async #sync() {
    if (this.#isSyncing) return;
    this.#isSyncing = true;
    await this.#pullChanges();
    this.#isSyncing = false;
    this.#hear('conversations');
    this.#count();
    if (this.open) this.load(this.open);
  }

  async #pullChanges() {
    for (let page = 0; page < SYNC_PAGES_MAX; page += 1) {
      const body = { limit: FILL_PAGE, ...(this.#since && { since: this.#since }) };
      const answer = await this.#ask('sync', body);
      if (!answer) return;
      this.#since = answer.next;
      for (const item of answer.conversations ?? []) this.#learn(item);
      if (!answer.more) return;
    }
  }

  #learn(item) {
    const conversation = this.#known(item.conversation, item.kind);
    Object.assign(conversation, {
      kind: item.kind,
      peer: item.peer ?? conversation.peer,
      name: item.name ?? conversation.name,
      unread: item.unread ?? 0,
      head: Math.max(conversation.head, item.head_seq ?? 0),
      readSeq: Math.max(conversation.readSeq, item.read_seq ?? 0),
    });
    const draft = this.drafts.find((other) => other.kind === 'direct' && other.peer === item.peer);
    if (draft && item.kind === 'direct') this.#merge(draft, conversation);
    conversation.preview = item.last ?? conversation.preview;
  }

  #known(id, kind = 'direct') {
    let conversation = this.conversations.get(id);
    if (!conversation) {
      conversation = new Conversation(kind);
      conversation.id = id;
      this.conversations.set(id, conversation);
    }
    return conversation;
  }

  /** A chat with one user; it exists for the server from the first message on. */
  chatWith(peer) {
    const all = [...this.conversations.values(), ...this.drafts];
    const found = all.find((other) => other.kind === 'direct' && other.peer === peer);
    if (found) return found;
    const draft = new Conversation('direct');
    draft.peer = peer;
    this.drafts.push(draft);
    this.#hear('conversations');
    return draft;
  }

  async createGroup(id, members) {
    const { id: group, conversation } = await this.#api.group(id, this.uid, members);
    const made = this.#known(conversation, 'group');
    Object.assign(made, { kind: 'group', group, name: id });
    this.#hear('conversations');
    return made;
  }

  /** Everybody a message of this conversation is for, without its sender. */
  recipients(conversation) {
    const all = conversation.kind === 'group' ? (conversation.members ?? []) : [conversation.peer];
    return all.filter((uid) => uid && uid !== this.uid);
  }

  /** Opens a conversation, or none: the app says so, and what is in it counts as read. */
  show(conversation) {
    this.open = conversation;
    if (this.isOnScreen) this.#reportState();
    this.#hear('conversations');
    if (!conversation) return;
    this.load(conversation);
    this.#read(conversation);
  }

  /** The newest page, once, and who is in the group. */
  async load(conversation) {
    if (!conversation.id) return;
    if (!conversation.isLoaded) {
      conversation.isLoaded = true;
      conversation.isLoaded = await this.older(conversation);
    }
    if (conversation.kind !== 'group') return;
    const answer = await this.#ask('members', { group: conversation.address.group });
    if (!answer) return;
    conversation.members = answer.members.map(({ uid }) => uid);
    this.#hear('messages', conversation);
  }

  /** A page of what is above the oldest message; answers whether it came. */
  async older(conversation) {
    const before = conversation.oldest() ?? conversation.head + 1;
    const body = { conversation: conversation.id, before, limit: HISTORY_PAGE };
    const answer = await this.#ask('history', body);
    if (!answer) return false;
    conversation.hasOlder = answer.messages.length === HISTORY_PAGE;
    // Newest first: the first one added says up to where nothing is missing.
    for (const entry of answer.messages.toReversed()) conversation.add(entry);
    this.#hear('messages', conversation);
    this.#read(conversation);
    return true;
  }

  // What arrives

  #deliver(messages) {
    const touched = new Set();
    const news = [];
    for (const message of messages) {
      const conversation = this.#known(message.conversation);
      if (conversation.peer === null && conversation.name === null) this.#sync();
      if (conversation.add(message) && message.from !== this.uid) news.push(message);
      touched.add(conversation);
    }
    for (const conversation of touched) {
      this.#hear('messages', conversation);
      if (conversation.beyondHole() !== null) this.#fill(conversation);
    }
    // Only now is it in memory and drawn: what follows may say so.
    for (const message of news) {
      if (this.isInGrace && message.alert) this.#hear('post', message);
      if (this.isOnScreen) this.#hear('incoming', message);
    }
    this.#ack(touched);
    if (this.open && touched.has(this.open)) this.#read(this.open);
    this.#count();
  }

  /** Pulls what is missing below a delivery. */
  async #fill(conversation) {
    if (conversation.isFilling) return;
    conversation.isFilling = true;
    for (let page = 0; page < FILL_PAGES_MAX; page += 1) {
      const before = conversation.beyondHole();
      if (before === null) break;
      const answer = await this.#ask('history', {
        conversation: conversation.id,
        after: conversation.tail,
        before,
        limit: FILL_PAGE,
      });
      if (!answer) break;
      for (const entry of answer.messages) conversation.add(entry);
      // What the server does not show to this user is no hole.
      const isWhole = answer.messages.length < FILL_PAGE;
      conversation.reach(isWhole ? before - 1 : answer.messages.at(-1).seq);
    }
    conversation.isFilling = false;
    this.#hear('messages', conversation);
    this.#ack([conversation]);
    if (conversation === this.open) this.#read(conversation);
  }

  /** `surfaced` is claimed only for what a person can see: on the screen, or as a notification. */
  #ack(conversations) {
    if (this.link.state !== 'online') return;
    const items = [];
    for (const conversation of conversations) {
      if (!conversation.id || conversation.tail === null) continue;
      const isSeen = this.isOnScreen || this.isInGrace;
      conversation.stored = conversation.tail;
      if (isSeen) conversation.surfaced = conversation.tail;
      const { id, stored, surfaced } = conversation;
      items.push({ conversation: id, stored, ...(isSeen && { surfaced }) });
      if (this.isOnScreen) {
        conversation.shown = conversation.tail;
        this.#hear('surfaced', conversation);
      }
    }
    if (items.length) this.link.tell('ack', { items });
  }

  /** The app is on the screen: everything it holds can be seen. */
  #surfaceAll() {
    const unseen = [...this.conversations.values()].filter(
      ({ tail, surfaced }) => tail !== null && tail > surfaced,
    );
    this.#ack(unseen);
    if (this.open) this.#read(this.open);
  }

  // Read markers and badge

  async #read(conversation) {
    const { id, tail } = conversation;
    if (!id || tail === null || !this.isOnScreen || this.open !== conversation) return;
    this.#hear('surfaced', conversation);
    if (this.link.state !== 'online' || !conversation.hasUnreadFor(this.uid)) return;
    const before = conversation.readSeq;
    conversation.readSeq = tail;
    const answer = await this.#ask('read', { conversation: id, seq: tail });
    if (!answer) {
      conversation.readSeq = before;
      return;
    }
    conversation.unread = 0;
    this.#setBadge(answer.unread, answer.bv);
    this.#count();
  }

  #readElsewhere({ conversation: id, seq, unread, bv }) {
    const conversation = this.#known(id);
    conversation.readSeq = Math.max(conversation.readSeq, seq);
    if (seq >= conversation.head) conversation.unread = 0;
    this.#setBadge(unread, bv);
    this.#count();
  }

  /** Of two badges the one with the higher version holds. */
  #setBadge(unread, bv) {
    if (bv < this.badge.bv) return;
    this.badge = { unread, bv };
    this.#hear('badge');
  }

  /** Deliveries carry no counts, so they are asked for. */
  #count() {
    this.#countTimer ||= setTimeout(async () => {
      this.#countTimer = 0;
      const answer = await this.#api.unread(this.uid).catch(() => null);
      if (!answer || this.link.state !== 'online' || answer.bv < this.badge.bv) return;
      for (const conversation of this.conversations.values()) conversation.unread = 0;
      for (const { conversation, unread } of answer.conversations) {
        this.#known(conversation).unread = unread;
      }
      this.#setBadge(answer.total, answer.bv);
      this.#hear('conversations');
    }, COUNT_AFTER_MS);
  }

  // What leaves

  /** Puts a text into the outbox; it leaves now or with the next connection. */
  send(conversation, text) {
    const waiting = this.#all().reduce((sum, other) => sum + other.queued().length, 0);
    if (waiting >= OUTBOX_MAX) throw new Error(`${OUTBOX_MAX} messages wait already`);
    conversation.queue({
      client_msg_id: crypto.randomUUID(),
      conversation: conversation.id,
      from: this.uid,
      at: Date.now(),
      content: { type: 'text', text },
      error: null,
    });
    this.#hear('messages', conversation);
    this.#pump();
  }

  /** Takes a message back on every device. */
  async recall(conversation, seq) {
    const answer = await this.link.request('recall', { conversation: conversation.id, seq });
    const content = { type: 'recall', target: seq };
    conversation.add({ seq: answer.seq, from: this.uid, at: Date.now(), content });
    this.#hear('messages', conversation);
  }

  /** Sends a refused message once more. */
  retry(message) {
    message.error = null;
    this.#pump();
  }

  #all() {
    return [...this.conversations.values(), ...this.drafts];
  }

  /** Sends what was not answered, in order and always under the same `client_msg_id`. */
  #pump() {
    if (this.link.state !== 'online') return;
    for (const conversation of this.#all()) {
      for (const message of conversation.queued()) {
        if (!message.error && !this.#pumping.has(message)) this.#transmit(conversation, message);
      }
    }
  }

  async #transmit(conversation, message) {
    this.#pumping.add(message);
    try {
      const answer = await this.link.request('send', {
        to: conversation.address,
        client_msg_id: message.client_msg_id,
        content: message.content,
      });
      this.#sent(conversation, message, answer);
    } catch (error) {
      if (!PASSING.has(error.code)) message.error = error.message;
      this.#hear('messages', conversation);
    } finally {
      this.#pumping.delete(message);
    }
  }

  #sent(origin, message, { message_id, conversation: id, seq, at }) {
    let conversation = origin;
    if (!origin.id) {
      const known = this.conversations.get(id);
      if (known) conversation = this.#merge(origin, known);
      else this.#name(origin, id);
    }
    conversation.add({ ...message, conversation: id, message_id, seq, at });
    this.#hear('messages', conversation);
    this.#hear('conversations');
    this.#pump();
  }

  #name(draft, id) {
    draft.id = id;
    draft.isLoaded = true;
    this.conversations.set(id, draft);
    this.drafts = this.drafts.filter((other) => other !== draft);
    if (this.open === draft && this.isOnScreen) this.#reportState();
  }

  #merge(draft, known) {
    known.adopt(draft);
    this.drafts = this.drafts.filter((other) => other !== draft);
    if (this.open === draft) this.show(known);
    return known;
  }
}
