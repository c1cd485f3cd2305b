-- What is missing of a bench is read from the index alone.
CREATE INDEX by_bench ON stored (office, bench, number, kind);
