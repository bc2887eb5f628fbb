// The HTTP API, as far as the page needs it.

/** What the server answered instead of what was asked. */
export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Calls with one admin key. */
export class Api {
  #key;

  constructor(key) {
    this.#key = key;
  }

  async #call(method, path, body) {
    const response = await fetch(path, {
      method,
      headers: {
        Authorization: `Bearer ${this.#key}`,
        ...(body && { 'Content-Type': 'application/json' }),
      },
      body: body && JSON.stringify(body),
      cache: 'no-store',
    });
    const answer = await response.json().catch(() => ({}));
    if (response.ok) return answer;
    const { code = 'unknown', message = `the server answered ${response.status}` } =
      answer.error ?? {};
    throw new ApiError(response.status, code, message);
  }

  /** A token for one device of a user; in development mode any user may have one. */
  async token(uid, deviceId) {
    const body = { device_id: deviceId };
    const path = `/v1/users/${encodeURIComponent(uid)}/tokens`;
    return (await this.#call('POST', path, body)).token;
  }

  /** The exact unread counts: `{total, bv, conversations}`. */
  unread(uid) {
    return this.#call('GET', `/v1/users/${encodeURIComponent(uid)}/unread`);
  }

  /** Makes a group; answers `{id, conversation}`. */
  group(id, owner, members) {
    return this.#call('POST', '/v1/groups', { id, name: id, owner, members });
  }

  /** What happened to a message for one user. */
  async trace(messageId, uid) {
    const query = new URLSearchParams({ user: uid });
    const path = `/v1/messages/${encodeURIComponent(messageId)}/trace?${query}`;
    return (await this.#call('GET', path)).events ?? [];
  }

  /** Every push credential and how it fares. */
  async credentials() {
    return (await this.#call('GET', '/v1/push/credentials')).credentials;
  }

  turnCredential(provider, name, enabled) {
    return this.#call('POST', credentialPath(provider, name), { enabled });
  }

  /** One push to a device of the user, and what the provider answered. */
  testPush(provider, name, uid) {
    return this.#call('POST', credentialPath(provider, name, '/test'), { uid });
  }

  /** Answers of providers after a number, or the newest: `{outcomes, next}`. */
  outcomes(after, limit) {
    const query = new URLSearchParams(after === undefined ? { last: limit } : { after, limit });
    return this.#call('GET', `/v1/push/outcomes?${query}`);
  }

  /** What would become of a message, device by device; nothing is sent. */
  async explain(message) {
    return (await this.#call('POST', '/v1/push/explain', message)).devices;
  }

  /** Writes a message in somebody's name. */
  send(message) {
    return this.#call('POST', '/v1/messages', message);
  }

  /** The pushes that development mode caught, oldest first. */
  async pushes() {
    const { pushes = [] } = await this.#call('GET', '/v1/dev/pushes');
    return pushes.toSorted((a, b) => a.at - b.at);
  }
}

function credentialPath(provider, name, rest = '') {
  const query = new URLSearchParams({ provider });
  return `/v1/push/credentials/${encodeURIComponent(name)}${rest}?${query}`;
}
