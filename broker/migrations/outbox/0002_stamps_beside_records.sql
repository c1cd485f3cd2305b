-- What was decided, its bytes and its stamps lie apart: a record is never touched again, a stamp
-- does not write the bytes anew, and bytes can move to an archive while the record stays.
DROP TRIGGER never_deleted;
DROP TRIGGER never_changed;
DROP INDEX one_number;
DROP INDEX one_outcome;
DROP INDEX waiting;
ALTER TABLE record RENAME TO former;

CREATE TABLE record (
  seq INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('start', 'verdict', 'abandonment')),
  id TEXT NOT NULL, bench TEXT NOT NULL, number INTEGER NOT NULL, trial INTEGER NOT NULL,
  order_id TEXT,
  subject TEXT, -- name of the instrument at this station; NULL in rows of version 0.1.0
  digest TEXT NOT NULL, owner TEXT, committed_at TEXT NOT NULL,
  UNIQUE (id, kind)
) STRICT;
CREATE TABLE content (seq INTEGER PRIMARY KEY REFERENCES record, body BLOB NOT NULL) STRICT;
CREATE TABLE receipt (receipt INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE archive (
  archive INTEGER PRIMARY KEY, file TEXT NOT NULL, made_at TEXT NOT NULL, records INTEGER NOT NULL
) STRICT;
CREATE TABLE delivery (
  seq INTEGER PRIMARY KEY REFERENCES record, bench TEXT NOT NULL,
  published_at TEXT, stored_number INTEGER, receipted_at TEXT,
  receipt INTEGER REFERENCES receipt,
  archive INTEGER REFERENCES archive -- where the bytes are now; NULL: here
) STRICT;

INSERT INTO record
  SELECT seq, kind, id, bench, number, trial, order_id, NULL, digest, owner, committed_at FROM former;
INSERT INTO content SELECT seq, body FROM former;
INSERT INTO receipt SELECT seq, receipt FROM former WHERE receipt IS NOT NULL;
INSERT INTO delivery
  SELECT seq, bench, published_at, stored_number, receipted_at, iif(receipt IS NULL, NULL, seq), NULL
  FROM former;
DROP TABLE former;

CREATE UNIQUE INDEX one_number ON record (bench, number) WHERE kind = 'start';
CREATE UNIQUE INDEX one_outcome ON record (id) WHERE kind <> 'start';
CREATE INDEX numbered ON record (bench, number);
CREATE INDEX for_order ON record (order_id, subject) WHERE order_id IS NOT NULL;
CREATE INDEX waiting ON delivery (bench, seq) WHERE receipt IS NULL;

CREATE TRIGGER never_deleted BEFORE DELETE ON record
  BEGIN SELECT RAISE(ABORT, 'rows are never deleted'); END;
CREATE TRIGGER never_changed BEFORE UPDATE ON record
  BEGIN SELECT RAISE(ABORT, 'rows are never changed'); END;
CREATE TRIGGER content_never_changed BEFORE UPDATE ON content
  BEGIN SELECT RAISE(ABORT, 'rows are never changed'); END;
CREATE TRIGGER content_leaves_for_an_archive BEFORE DELETE ON content
  WHEN NOT EXISTS
    (SELECT 1 FROM delivery WHERE seq = OLD.seq AND receipt IS NOT NULL AND archive IS NOT NULL)
  BEGIN SELECT RAISE(ABORT, 'rows are never deleted'); END;
CREATE TRIGGER receipt_never_deleted BEFORE DELETE ON receipt
  BEGIN SELECT RAISE(ABORT, 'receipts are never deleted'); END;
CREATE TRIGGER receipt_never_changed BEFORE UPDATE ON receipt
  BEGIN SELECT RAISE(ABORT, 'receipts are never changed'); END;
CREATE TRIGGER stamps_never_deleted BEFORE DELETE ON delivery
  BEGIN SELECT RAISE(ABORT, 'stamps are never deleted'); END;
CREATE TRIGGER stamped_once BEFORE UPDATE ON delivery
  WHEN NEW.seq IS NOT OLD.seq OR NEW.bench IS NOT OLD.bench
    OR (OLD.published_at IS NOT NULL AND NEW.published_at IS NOT OLD.published_at)
    OR (OLD.receipt IS NOT NULL AND (NEW.receipt IS NOT OLD.receipt
      OR NEW.stored_number IS NOT OLD.stored_number OR NEW.receipted_at IS NOT OLD.receipted_at))
    OR (OLD.archive IS NOT NULL AND NEW.archive IS NOT OLD.archive)
    OR (NEW.archive IS NOT NULL AND (NEW.receipt IS NULL
      OR NOT EXISTS (SELECT 1 FROM archive WHERE archive = NEW.archive)))
  BEGIN SELECT RAISE(ABORT, 'what is stamped stays stamped'); END;
-- REPLACE deletes without asking the triggers above.
CREATE TRIGGER record_never_replaced BEFORE INSERT ON record
  WHEN EXISTS (SELECT 1 FROM record WHERE seq = NEW.seq OR (id = NEW.id AND kind = NEW.kind))
  BEGIN SELECT RAISE(ABORT, 'rows are never changed'); END;
CREATE TRIGGER content_never_replaced BEFORE INSERT ON content
  WHEN EXISTS (SELECT 1 FROM content WHERE seq = NEW.seq)
  BEGIN SELECT RAISE(ABORT, 'rows are never changed'); END;
CREATE TRIGGER receipt_never_replaced BEFORE INSERT ON receipt
  WHEN EXISTS (SELECT 1 FROM receipt WHERE receipt = NEW.receipt)
  BEGIN SELECT RAISE(ABORT, 'receipts are never changed'); END;
CREATE TRIGGER stamps_never_replaced BEFORE INSERT ON delivery
  WHEN EXISTS (SELECT 1 FROM delivery WHERE seq = NEW.seq)
  BEGIN SELECT RAISE(ABORT, 'stamps are never changed'); END;

-- An order that is published, changed or opened again gets a new opening; what was verified before
-- a new opening does not count for it.
ALTER TABLE ordered ADD COLUMN opening INTEGER NOT NULL DEFAULT 1;
ALTER TABLE ordered ADD COLUMN since_seq INTEGER NOT NULL DEFAULT 0;
