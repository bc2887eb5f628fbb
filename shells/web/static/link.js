// One connection to the server: hello, requests, heartbeat, reconnect, and the gate of a frozen app.
// It knows packets and nothing of messages. docs/protocol.md describes the JSON form it speaks.

const SERIAL_MAX = 2 ** 30 - 1;
/** The server takes 64 and then stops reading. */
const REQUESTS_MAX = 48;
const ANSWER_WITHIN_MS = 15_000;
/** Added to the heartbeat the server announced. */
const SILENCE_SLACK_MS = 15_000;
const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 20_000;
/** After these the device signs in anew or not at all. */
const FINAL_REASONS = new Set(['kicked', 'replaced']);

/** A request that was refused, or whose connection went away (`code` is then `offline`). */
export class LinkError extends Error {
  constructor(code, message) {
    super(message ?? code);
    this.code = code;
  }
}

/**
 * `state` is `offline` (told to be), `connecting`, `online`, `waiting` (until `retryAt`), `frozen`,
 * or `ended` (for `reason`).
 *
 * The port it is given: `url`; `hello()` promises the body of a hello; `online(answer)`;
 * `packet(command, body)` for what the server says unasked, whose answer goes back to requests;
 * `changed()`.
 */
export class Link {
  state = 'offline';
  reason = null;
  retryAt = 0;
  #port;
  #socket = null;
  #turn = 0;
  #serial = 0;
  #waiting = new Map();
  #attempt = 0;
  #retryTimer = 0;
  #silenceTimer = 0;
  #silenceMs = 0;
  #notBefore = 0;

  constructor(port) {
    this.#port = port;
  }

  /** Connects, and again whenever the connection is lost. */
  start() {
    this.#drop();
    this.#attempt = 0;
    this.#notBefore = 0;
    this.#connect();
  }

  /** Closes the connection and stays away. */
  stop() {
    this.#drop();
    this.#set('offline');
  }

  /** What happens to a suspended app: the socket stays open, and nobody is behind it. */
  freeze() {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#silenceTimer);
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    // A sign-in under way ends here; an open socket stays.
    if (this.state !== 'online') this.#drop();
    this.#set('frozen');
  }

  /** Tries now instead of at `retryAt`. */
  retry() {
    if (this.state === 'waiting') this.start();
  }

  /** Asks the server; promises the body of its answer. */
  request(command, body) {
    if (this.state !== 'online' && command !== 'hello') {
      return Promise.reject(new LinkError('offline', 'there is no connection'));
    }
    if (this.#waiting.size >= REQUESTS_MAX) {
      return Promise.reject(new LinkError('busy', 'too many requests wait for their answer'));
    }
    const socket = this.#socket;
    const serial = this.#nextSerial();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#lost(socket), ANSWER_WITHIN_MS);
      this.#waiting.set(serial, { resolve, reject, timer });
      this.#write({ serial, command, code: 0, body });
    });
  }

  /** Says something that is not answered. */
  tell(command, body) {
    if (this.state === 'online') this.#write({ serial: 0, command, code: 0, body });
  }

  #nextSerial() {
    do this.#serial = (this.#serial % SERIAL_MAX) + 1;
    while (this.#waiting.has(this.#serial));
    return this.#serial;
  }

  #set(state, reason = null) {
    this.state = state;
    this.reason = reason;
    this.#port.changed();
  }

  async #connect() {
    const turn = ++this.#turn;
    this.#set('connecting');
    let hello;
    try {
      hello = await this.#port.hello();
    } catch {
      if (turn === this.#turn) this.#later();
      return;
    }
    if (turn !== this.#turn) return;
    const socket = new WebSocket(this.#port.url);
    this.#socket = socket;
    socket.onopen = () => this.#sayHello(socket, hello);
    socket.onmessage = ({ data }) => this.#read(socket, data);
    socket.onclose = () => this.#lost(socket);
  }

  async #sayHello(socket, hello) {
    try {
      const answer = await this.request('hello', hello);
      if (socket !== this.#socket) return;
      this.#attempt = 0;
      this.#silenceMs = (answer.heartbeat_s ?? 30) * 1000 + SILENCE_SLACK_MS;
      this.#listen(socket);
      this.#set('online');
      this.#port.online(answer);
    } catch {
      this.#lost(socket);
    }
  }

  /** Nothing received for so long means there is nobody. */
  #listen(socket) {
    clearTimeout(this.#silenceTimer);
    if (this.#silenceMs) {
      this.#silenceTimer = setTimeout(() => this.#lost(socket), this.#silenceMs);
    }
  }

  #read(socket, text) {
    if (socket !== this.#socket || this.state === 'frozen') return;
    this.#listen(socket);
    let packet;
    try {
      packet = JSON.parse(text);
    } catch {
      return;
    }
    const { serial = 0, command, code = 0, body = {} } = packet;
    if (command === 'bye') return this.#bye(socket, body);
    if (serial > 0 && serial <= SERIAL_MAX) return this.#answered(serial, code, body);
    const answer = command === 'ping' ? {} : this.#port.packet(command, body);
    if (serial > 0 && answer) this.#write({ serial, command, code: 0, body: answer });
  }

  #answered(serial, code, body) {
    const request = this.#waiting.get(serial);
    if (!request) return;
    this.#waiting.delete(serial);
    clearTimeout(request.timer);
    if (code === 0) request.resolve(body);
    else request.reject(new LinkError(body.error?.code ?? `error ${code}`, body.error?.message));
  }

  #bye(socket, { reason, reconnect_after_ms: afterMs = 0 }) {
    if (FINAL_REASONS.has(reason)) {
      this.#drop();
      this.#set('ended', reason);
      return;
    }
    this.#notBefore = Date.now() + afterMs;
    this.#lost(socket);
  }

  #write(packet) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(packet));
  }

  #lost(socket) {
    if (socket !== this.#socket) return;
    const isFrozen = this.state === 'frozen';
    this.#drop();
    if (!isFrozen) this.#later();
  }

  /** Full jitter: anything from nothing to a growing bound, so that many clients spread. */
  #later() {
    const bound = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** this.#attempt);
    this.#attempt += 1;
    const wait = Math.max(Math.random() * bound, this.#notBefore - Date.now());
    this.retryAt = Date.now() + wait;
    this.#retryTimer = setTimeout(() => this.#connect(), wait);
    this.#set('waiting');
  }

  #drop() {
    this.#turn += 1;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#silenceTimer);
    this.#silenceMs = 0;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject, timer } of waiting) {
      clearTimeout(timer);
      reject(new LinkError('offline', 'the connection was lost'));
    }
  }
}
