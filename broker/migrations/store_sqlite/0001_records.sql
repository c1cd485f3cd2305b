-- As version 0.1.0 made them without numbering them: IF NOT EXISTS, so that such a file is taken over.
CREATE TABLE IF NOT EXISTS stored (
  stored INTEGER PRIMARY KEY,
  kind TEXT NOT NULL, id TEXT NOT NULL, office TEXT NOT NULL, bench TEXT NOT NULL,
  number INTEGER NOT NULL, trial INTEGER NOT NULL, verdict TEXT, digest TEXT NOT NULL,
  received_at TEXT NOT NULL, body BLOB NOT NULL,
  UNIQUE (id, kind)
) STRICT;
CREATE INDEX IF NOT EXISTS by_bench ON stored (office, bench, number);
CREATE UNIQUE INDEX IF NOT EXISTS one_outcome ON stored (id) WHERE kind <> 'start';
CREATE TRIGGER IF NOT EXISTS never_deleted BEFORE DELETE ON stored
  BEGIN SELECT RAISE(ABORT, 'records are never deleted'); END;
CREATE TRIGGER IF NOT EXISTS never_changed BEFORE UPDATE ON stored
  BEGIN SELECT RAISE(ABORT, 'records are never changed'); END;
CREATE TABLE IF NOT EXISTS conflict (
  kind TEXT NOT NULL, id TEXT NOT NULL, digest TEXT NOT NULL, received_at TEXT NOT NULL,
  body BLOB NOT NULL, PRIMARY KEY (kind, id, digest)
) STRICT;
