-- Uploads a message waits for, a JSON list of their names.
ALTER TABLE outgoing ADD COLUMN depends_on TEXT NOT NULL DEFAULT '[]';
