-- Unsigned 64-bit numbers are kept as the signed ones of the same bits.

CREATE TABLE owner (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    uid       TEXT NOT NULL,
    device_id TEXT NOT NULL
) STRICT;

CREATE TABLE account (
    one           INTEGER PRIMARY KEY CHECK (one = 1),
    resume        TEXT,                -- secret
    sync          TEXT,
    said_hello    INTEGER NOT NULL,
    is_synced     INTEGER NOT NULL,
    unread        INTEGER NOT NULL,
    bv            INTEGER NOT NULL,
    app_order_end INTEGER NOT NULL
) STRICT;

CREATE TABLE conversations (
    changed      INTEGER PRIMARY KEY,  -- grows with each write
    conversation TEXT NOT NULL UNIQUE,
    kind         TEXT,
    peer         TEXT,
    name         TEXT
) STRICT;

CREATE TABLE places (
    changed       INTEGER PRIMARY KEY, -- grows with each write
    conversation  TEXT NOT NULL UNIQUE,
    stored        INTEGER NOT NULL,
    pieces        TEXT NOT NULL,       -- JSON: [[first, last], …]
    guessed_above INTEGER,
    proven        INTEGER NOT NULL,
    surfaced      INTEGER NOT NULL,
    read_told     INTEGER NOT NULL,
    head          INTEGER NOT NULL,
    unread        INTEGER NOT NULL,
    mentions      INTEGER NOT NULL,
    read          INTEGER NOT NULL
) STRICT;

CREATE TABLE messages (
    conversation  TEXT NOT NULL,
    seq           INTEGER NOT NULL,
    message_id    BLOB NOT NULL,       -- 16 bytes
    sender        TEXT NOT NULL,
    client_msg_id TEXT NOT NULL,
    at            INTEGER NOT NULL,    -- ms since 1970, server time
    content       BLOB NOT NULL,       -- the bytes that came
    alert         INTEGER NOT NULL,
    PRIMARY KEY (conversation, seq)
) STRICT;

CREATE TABLE outgoing (
    client_msg_id TEXT PRIMARY KEY,
    place         INTEGER NOT NULL,    -- order in the outbox
    target_kind   TEXT NOT NULL,       -- user or group
    target        TEXT NOT NULL,
    content       BLOB NOT NULL,
    push          TEXT,                -- JSON
    expires_at    INTEGER,             -- ms since 1970
    queued_at     INTEGER NOT NULL,    -- ms since 1970
    is_failed     INTEGER NOT NULL,
    resumes       INTEGER NOT NULL
) STRICT;
