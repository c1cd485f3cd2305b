"""Bytes and registers in, indications out. Knows instruments; knows no law and no broker."""
