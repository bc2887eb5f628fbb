// What the phone of this tab shows while its app does not: notifications by id, and what became
// of them. A model only; phone.js draws it.

const NOTES_MAX = 40;
const LOG_MAX = 40;

/** Keeps `{notes, seen, log, badge}` in `memory`, so that a reload of the page finds it. */
export class LockScreen {
  #memory;
  #seen;
  #notes;
  #log;
  #badge;

  constructor(memory) {
    this.#memory = memory;
    const { notes = [], seen = [], log = [], badge = { unread: 0, bv: -1 } } =
      memory.lockScreen ?? {};
    this.#notes = new Map(notes.map((note) => [note.nid, note]));
    this.#seen = new Set(seen);
    this.#log = log;
    this.#badge = badge;
  }

  /** Newest first. */
  get notes() {
    return [...this.#notes.values()].sort((a, b) => b.at - a.at);
  }

  /** What happened here, newest first. */
  get log() {
    return this.#log.toReversed();
  }

  /** The number on the icon, as the newest push or connection said. */
  get badge() {
    return this.#badge.unread;
  }

  setBadge({ unread, bv }) {
    if (bv < this.#badge.bv) return;
    this.#badge = { unread, bv };
    this.#save();
  }

  /**
   * Takes in the pushes for this device, oldest first; those seen before change nothing.
   * `isShownInApp(conversation, seq)`: the app showed it meanwhile. Answers whether anything moved.
   */
  apply(pushes, isShownInApp) {
    const keys = pushes.map((push) => `${push.at} ${push.nid ?? 'wd'} ${push.seq} ${push.bv}`);
    const fresh = pushes.filter((_, index) => !this.#seen.has(keys[index]));
    if (!fresh.length) return false;
    // The server keeps a bounded list, so what it forgot may be forgotten here.
    this.#seen = new Set(keys);
    for (const push of fresh) this.#arrive(push, isShownInApp);
    this.#save();
    return true;
  }

  #arrive(push, isShownInApp) {
    const { at, nid, mid, title, body, data = {} } = push;
    if (Array.isArray(data.wd)) this.#remove(data.wd, at, 'withdrawn', 'by a push');
    if (nid && (title !== undefined || body !== undefined)) {
      this.#put({ nid, mid, conversation: data.conv, seq: push.seq, title, body, at }, 'pushed');
      if (isShownInApp(data.conv, push.seq)) this.#remove([nid], at, 'cleared', 'the app shows it');
    }
    if (push.bv >= this.#badge.bv) this.#badge = { unread: push.badge, bv: push.bv };
  }

  /** The app itself, alive in the background, posts a notification. */
  post(note) {
    this.#put(note, 'posted');
    this.#save();
  }

  #put(note, how) {
    const replaces = this.#notes.has(note.nid);
    this.#notes.set(note.nid, { ...note, how });
    const why = replaces ? 'in place of the one with its id' : '';
    this.#note(note.at, replaces ? 'replaced' : how, note, why);
    while (this.#notes.size > NOTES_MAX) this.#notes.delete(this.notes.at(-1).nid);
  }

  /** The server asked over the connection. */
  withdraw(nids) {
    this.#remove(nids, Date.now(), 'withdrawn', 'over the connection');
    this.#save();
  }

  /** The app is on the screen and shows the conversation up to `seq`. */
  clear(conversation, seq) {
    const gone = this.notes.filter((note) => note.conversation === conversation && note.seq <= seq);
    if (!gone.length) return false;
    this.#remove(gone.map(({ nid }) => nid), Date.now(), 'cleared', 'the app shows it');
    this.#save();
    return true;
  }

  #remove(nids, at, what, why) {
    for (const nid of nids) {
      const note = this.#notes.get(nid);
      if (!note) continue;
      this.#notes.delete(nid);
      this.#note(at, what, note, why);
    }
  }

  #note(at, what, { nid, mid, title, body }, why) {
    this.#log.push({ at, what, why, nid, mid, text: [title, body].filter(Boolean).join(': ') });
    this.#log = this.#log.slice(-LOG_MAX);
  }

  #save() {
    this.#memory.lockScreen = {
      notes: [...this.#notes.values()],
      seen: [...this.#seen],
      log: this.#log,
      badge: this.#badge,
    };
  }
}
