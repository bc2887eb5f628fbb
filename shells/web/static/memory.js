// What outlives a reload of the tab: who is signed in, as which device, and its lock screen.
// sessionStorage, because two tabs are two devices.

const NAME = 'nightjar';

export class Memory {
  #values;

  constructor() {
    try {
      this.#values = JSON.parse(sessionStorage.getItem(NAME)) ?? {};
    } catch {
      this.#values = {};
    }
  }

  #set(name, value) {
    this.#values[name] = value;
    try {
      sessionStorage.setItem(NAME, JSON.stringify(this.#values));
    } catch {
      // A full or forbidden storage costs only what a reload would have found.
    }
  }

  get uid() {
    return this.#values.uid ?? null;
  }

  set uid(uid) {
    this.#set('uid', uid);
  }

  /** The device of this tab, made on first use. */
  get deviceId() {
    if (!this.#values.deviceId) this.#set('deviceId', newDeviceId());
    return this.#values.deviceId;
  }

  get resume() {
    return this.#values.resume ?? null;
  }

  set resume(token) {
    this.#set('resume', token);
  }

  get lockScreen() {
    return this.#values.lockScreen ?? null;
  }

  set lockScreen(state) {
    this.#set('lockScreen', state);
  }

  /** The tab is a new phone now, with nobody signed in. */
  forget() {
    this.#values = {};
    this.#set('uid', null);
  }
}

function newDeviceId() {
  const bytes = crypto.getRandomValues(new Uint8Array(3));
  return `web-${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
