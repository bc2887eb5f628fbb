-- The store is about to be closed, or is, because the app left the screen.
ALTER TABLE account ADD COLUMN is_leaving INTEGER NOT NULL DEFAULT 0;

-- The newest whole list that named the conversation.
ALTER TABLE places ADD COLUMN list INTEGER NOT NULL DEFAULT 0;
