-- The tables of store_sqlite in PostgreSQL's words. Times are texts (UTC, ISO 8601) in both, so that
-- a time is stored as it is signed; names compare by their bytes, whatever the server's locale.
CREATE TABLE stored (
  stored BIGINT PRIMARY KEY,
  kind TEXT COLLATE "C" NOT NULL, id TEXT COLLATE "C" NOT NULL,
  office TEXT COLLATE "C" NOT NULL, bench TEXT COLLATE "C" NOT NULL,
  number BIGINT NOT NULL, trial INTEGER NOT NULL, verdict TEXT, digest TEXT NOT NULL,
  received_at TEXT COLLATE "C" NOT NULL, body BYTEA NOT NULL,
  UNIQUE (id, kind)
);
CREATE UNIQUE INDEX one_outcome ON stored (id) WHERE kind <> 'start';
CREATE TABLE conflict (
  kind TEXT COLLATE "C" NOT NULL, id TEXT COLLATE "C" NOT NULL, digest TEXT NOT NULL,
  received_at TEXT COLLATE "C" NOT NULL, body BYTEA NOT NULL, PRIMARY KEY (kind, id, digest)
);
CREATE FUNCTION never_deleted() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'records are never deleted'; END $$;
CREATE FUNCTION never_changed() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'records are never changed'; END $$;
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON stored EXECUTE FUNCTION never_deleted();
CREATE TRIGGER never_changed BEFORE UPDATE ON stored EXECUTE FUNCTION never_changed();
CREATE TRIGGER conflict_never_deleted BEFORE DELETE OR TRUNCATE ON conflict
  EXECUTE FUNCTION never_deleted();
CREATE TRIGGER conflict_never_changed BEFORE UPDATE ON conflict EXECUTE FUNCTION never_changed();
