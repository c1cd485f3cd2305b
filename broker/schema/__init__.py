"""JSON Schemas of every message of the contract."""
