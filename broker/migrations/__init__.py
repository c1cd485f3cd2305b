"""The tables of outbox and store as numbered files: applied once each, in order, never edited."""
