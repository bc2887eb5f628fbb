-- Whole lists are counted: what the newest does not name goes when it is complete.
ALTER TABLE account ADD COLUMN list INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN is_listing INTEGER NOT NULL DEFAULT 0;

-- What the token covers was not kept so far: everything comes once more.
UPDATE account SET sync = NULL;

-- (list, ver) of a row only grows.
CREATE TABLE contacts (
    uid     TEXT PRIMARY KEY,
    state   TEXT NOT NULL,             -- none, requested, asked or accepted
    blocked INTEGER NOT NULL,          -- 'none' and not blocked: removed
    list    INTEGER NOT NULL,
    ver     INTEGER NOT NULL
) STRICT;

CREATE TABLE groups (
    id   TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT,                         -- owner or member; NULL: left
    list INTEGER NOT NULL,
    ver  INTEGER NOT NULL
) STRICT;

CREATE TABLE profiles (
    uid    TEXT PRIMARY KEY,
    name   TEXT,
    avatar TEXT,                       -- an address
    list   INTEGER NOT NULL,
    ver    INTEGER NOT NULL
) STRICT;
