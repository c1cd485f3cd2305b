-- As version 0.1.0 made them without numbering them: IF NOT EXISTS, so that such a file is taken over.
CREATE TABLE IF NOT EXISTS record (
  seq INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('start', 'verdict', 'abandonment')),
  id TEXT NOT NULL, bench TEXT NOT NULL, number INTEGER NOT NULL, trial INTEGER NOT NULL,
  order_id TEXT, digest TEXT NOT NULL, body BLOB NOT NULL, owner TEXT, committed_at TEXT NOT NULL,
  published_at TEXT, stored_number INTEGER, receipted_at TEXT, receipt BLOB,
  UNIQUE (id, kind)
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS one_number ON record (bench, number) WHERE kind = 'start';
CREATE UNIQUE INDEX IF NOT EXISTS one_outcome ON record (id) WHERE kind <> 'start';
CREATE INDEX IF NOT EXISTS waiting ON record (bench, seq) WHERE receipt IS NULL;
CREATE TRIGGER IF NOT EXISTS never_deleted BEFORE DELETE ON record
  BEGIN SELECT RAISE(ABORT, 'rows are never deleted'); END;
CREATE TRIGGER IF NOT EXISTS never_changed BEFORE UPDATE OF
  seq, kind, id, bench, number, trial, order_id, digest, body, owner, committed_at ON record
  BEGIN SELECT RAISE(ABORT, 'rows are only stamped'); END;
CREATE TABLE IF NOT EXISTS ordered (
  order_id TEXT PRIMARY KEY, body BLOB NOT NULL, received_at TEXT NOT NULL, closed_at TEXT
) STRICT;
