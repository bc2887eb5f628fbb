-- A logout the server does not know of: the token to tell it with, secret.
ALTER TABLE account ADD COLUMN owes_unbind TEXT;

-- What entries say of other messages; it may be here before the message is.
CREATE TABLE amendments (
    conversation TEXT NOT NULL,
    seq          INTEGER NOT NULL,     -- of the entry
    target       INTEGER NOT NULL,
    sender       TEXT NOT NULL,
    kind         TEXT NOT NULL,        -- edited, reacted or unreacted
    said         BLOB NOT NULL,        -- the new content, or the sign in UTF-8
    PRIMARY KEY (conversation, seq)
) STRICT;

CREATE INDEX amendments_of ON amendments (conversation, target, seq);
