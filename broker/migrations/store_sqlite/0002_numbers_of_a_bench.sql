-- What is missing of a bench is read from the index alone; conflicts are evidence and stay.
DROP INDEX by_bench;
CREATE INDEX by_bench ON stored (office, bench, number, kind);
CREATE TRIGGER conflict_never_deleted BEFORE DELETE ON conflict
  BEGIN SELECT RAISE(ABORT, 'records are never deleted'); END;
CREATE TRIGGER conflict_never_changed BEFORE UPDATE ON conflict
  BEGIN SELECT RAISE(ABORT, 'records are never changed'); END;
-- REPLACE deletes without asking never_deleted.
CREATE TRIGGER never_replaced BEFORE INSERT ON stored
  WHEN EXISTS (SELECT 1 FROM stored WHERE stored = NEW.stored OR (id = NEW.id AND kind = NEW.kind))
  BEGIN SELECT RAISE(ABORT, 'records are never changed'); END;
