// What this device holds of one conversation. Entries are unique by `seq`; what was not answered
// yet is in the outbox under its `client_msg_id`.

const ENTRIES_MAX = 500;
/** Types of entries that the server writes: news about members and messages. */
const NEWS = ['recall', 'members', 'edit', 'reaction'];

/** Whether an entry is no message of somebody. */
export const isNews = (content) => NEWS.includes(content?.type);

export class Conversation {
  /** Opaque; null until the server named it. */
  id = null;
  kind;
  peer = null;
  group = null;
  name = null;
  /** The newest place the server spoke of. */
  head = 0;
  readSeq = 0;
  unread = 0;
  /** Everything up to here is stored without holes, as far as it was loaded. Null: nothing yet. */
  tail = null;
  stored = 0;
  surfaced = 0;
  /** Drawn while the app was on the screen, up to here. */
  shown = 0;
  members = null;
  /** The newest message as the server listed it, for a conversation that was not opened yet. */
  preview = null;
  hasOlder = false;
  isLoaded = false;
  isFilling = false;
  #entries = new Map();
  #outbox = new Map();

  constructor(kind) {
    this.kind = kind;
  }

  get title() {
    if (this.kind === 'group') return this.name ?? this.group ?? 'Group';
    return this.name ?? this.peer ?? '…';
  }

  /** The address of `send`. A group created by this page is named by its id. */
  get address() {
    return this.kind === 'group' ? { group: this.group ?? this.name } : { user: this.peer };
  }

  has(seq) {
    return this.#entries.has(seq);
  }

  entry(seq) {
    return this.#entries.get(seq);
  }

  /** Ascending. */
  entries() {
    return [...this.#entries.values()].sort((a, b) => a.seq - b.seq);
  }

  /** Messages as a person sees them: entries, then what still waits to be sent. */
  messages() {
    return [...this.entries(), ...this.#outbox.values()];
  }

  last() {
    return this.messages().at(-1) ?? null;
  }

  oldest() {
    return this.#entries.size ? Math.min(...this.#entries.keys()) : null;
  }

  /** Takes an entry once; answers whether it was new. */
  add(entry) {
    this.#outbox.delete(entry.client_msg_id);
    this.head = Math.max(this.head, entry.seq);
    const old = this.#entries.get(entry.seq);
    if (old) return false;
    this.#entries.set(entry.seq, entry);
    this.#amend(entry);
    if (this.#entries.size > ENTRIES_MAX) this.#entries.delete(this.oldest());
    this.reach(this.tail ?? entry.seq);
    return true;
  }

  /** Nothing up to `seq` is missing any more, nor what follows it without a hole. */
  reach(seq) {
    this.tail = Math.max(this.tail ?? 0, seq);
    while (this.#entries.has(this.tail + 1)) this.tail += 1;
  }

  /** The lowest place beyond a hole, or null. */
  beyondHole() {
    const above = [...this.#entries.keys()].filter((seq) => seq > this.tail);
    return above.length ? Math.min(...above) : null;
  }

  /** What entries say of one another, whichever of them came first. */
  #amend(entry) {
    const { type, target, content } = entry.content ?? {};
    const about = this.#entries.get(target);
    if (type === 'recall' && about) about.content = null;
    // Edits of one message come in any order with history; the newest holds.
    if (type === 'edit' && about?.content && !(about.editedBy > entry.seq)) {
      about.content = content;
      about.editedBy = entry.seq;
    }
    if (isNews(entry.content)) return;
    for (const other of this.#entries.values()) {
      if (other.content?.type === 'edit' && other.content.target === entry.seq) this.#amend(other);
    }
  }

  queue(message) {
    this.#outbox.set(message.client_msg_id, message);
  }

  /** In the order they were written. */
  queued() {
    return [...this.#outbox.values()];
  }

  /** Whether somebody other than `uid` wrote something above the read marker. */
  hasUnreadFor(uid) {
    return this.entries().some((entry) => entry.seq > this.readSeq && entry.from !== uid);
  }

  /** Becomes one with a conversation that was started before the server named it. */
  adopt(draft) {
    for (const message of draft.queued()) this.queue(message);
    this.group ??= draft.group;
    this.peer ??= draft.peer;
  }
}
