-- The highest number of a bench that was given before and is not here: this outbox is older than what
-- went out of it. No number is given until a person has said that they go on behind that one.
CREATE TABLE elsewhere (
  bench TEXT PRIMARY KEY, number INTEGER NOT NULL, heard_at TEXT NOT NULL, accepted_at TEXT
) STRICT;
-- Benches of an outbox that was copied for a backup: what they gave later is not known here until the
-- records system has said it, or a person.
CREATE TABLE copied (bench TEXT PRIMARY KEY, made_at TEXT NOT NULL) STRICT;
