-- What one device shows, shared by the app and its extension. Ids are checked when they are read.

CREATE TABLE notes (
    message_id   BLOB PRIMARY KEY,  -- 16 bytes
    notification TEXT NOT NULL,
    conversation TEXT,              -- with seq, or neither
    seq          INTEGER,
    note         TEXT NOT NULL,     -- claimed, shown, leaving or gone
    poster       TEXT NOT NULL,     -- app, extension or remote
    at           INTEGER NOT NULL   -- ms since 1970
) STRICT;
CREATE INDEX notes_by_notification ON notes (notification);
CREATE INDEX notes_by_place ON notes (conversation, seq);
CREATE INDEX notes_by_age ON notes (at);

CREATE TABLE seen (
    conversation TEXT PRIMARY KEY,
    upto         INTEGER NOT NULL,
    at           INTEGER NOT NULL   -- ms since 1970
) STRICT;

CREATE TABLE account (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    uid        TEXT,                -- with device_id and push_token, or none
    device_id  TEXT,
    push_token TEXT,
    bv         INTEGER              -- of the badge that is set
) STRICT;

CREATE TABLE spool (
    number        INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation  TEXT NOT NULL,
    seq           INTEGER NOT NULL,
    message_id    BLOB NOT NULL,    -- 16 bytes
    sender        TEXT NOT NULL,
    client_msg_id TEXT NOT NULL,
    at            INTEGER NOT NULL, -- ms since 1970, server time
    content       BLOB NOT NULL,    -- the bytes that came
    alert         INTEGER NOT NULL
) STRICT;

CREATE TABLE measures (
    metric TEXT NOT NULL,
    value  INTEGER NOT NULL,
    count  INTEGER NOT NULL,
    PRIMARY KEY (metric, value)
) STRICT;
