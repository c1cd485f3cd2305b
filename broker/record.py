"""A message of the contract as bytes, and bytes as a message.

Knows JSON with exact decimals (``100.00`` stays ``100.00``), the digest over the bytes, and the
JSON Schemas. Refuses to know where messages travel or rest, and what they mean.
"""

import hashlib
import importlib.resources
import re
import secrets
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

import jsonschema_rs
import simplejson

from broker.failure import BadRecord

LIMIT = 4 * 1024 * 1024
"""Largest message [byte] that is written or read."""

KINDS = ("start", "verdict", "abandonment")
"""Kinds of record that rest in an outbox and a store."""

_ESCAPED = re.compile(rb"\\u[dD][89a-fA-F]")
"""What begins the escape of half a character."""

_MINUS_ZERO = re.compile(rb"-0[\s,\]}]|-0$")
"""What an indication may show and int() forgets; asking for each number costs a tenth of the time."""

_PLAIN = frozenset({str, int, bool, type(None)})


def new_id() -> str:
    """Return a fresh identity for a verification or an order: a UUID of version 7 (RFC 9562).

    It begins with the time, so what is made together lies together in every index; what a record
    says of time stands in its own fields, and nothing reads it out of here.
    """
    milliseconds = time.time_ns() // 1_000_000 % (1 << 48)
    chance = secrets.randbits(74)
    version, variant = 0x7 << 76, 0b10 << 62
    high, low = chance >> 62 << 64, chance % (1 << 62)
    return str(uuid.UUID(int=milliseconds << 80 | version | high | variant | low))


def timestamp() -> str:
    """Return the UTC time now, as records write it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encode(record: Mapping[str, Any]) -> bytes:
    """Return the canonical bytes: ``schema`` first, then keys in order, no spaces, UTF-8."""
    text = simplejson.dumps(
        _plain(record, ""),
        use_decimal=True,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    try:
        body = text.encode()
    except UnicodeEncodeError:
        raise BadRecord("the record holds text that is not Unicode") from None
    if len(body) > LIMIT:
        raise BadRecord(
            "the record has {size} bytes, more than the {limit} a message may have",
            size=len(body),
            limit=LIMIT,
        )
    return body


def decode(body: bytes) -> dict[str, Any]:
    """Read a JSON object; numbers with a point or exponent become Decimal, digit by digit."""
    if len(body) > LIMIT:
        raise BadRecord(
            "the record has {size} bytes, more than the {limit} a message may have",
            size=len(body),
            limit=LIMIT,
        )
    try:
        record = simplejson.loads(
            body.decode(),
            use_decimal=True,
            parse_int=_whole_number if _MINUS_ZERO.search(body) else None,
            object_pairs_hook=_without_repeats,
        )
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise BadRecord("this is not JSON: {why}", why=error) from None
    if not isinstance(record, dict):
        raise BadRecord("this is JSON but not an object")
    if _ESCAPED.search(body):  # half a character, which no file and no database can hold
        encode(record)
    return record


def digest(record: Mapping[str, Any] | bytes) -> str:
    """Return ``sha256:`` and the hash of the bytes, or of the record's canonical bytes."""
    body = record if isinstance(record, bytes) else encode(record)
    return "sha256:" + hashlib.sha256(body).hexdigest()


def kind_of(record: Mapping[str, Any]) -> str:
    """Return the message's kind: ``verdict`` for the schema ``tera/verdict/1``."""
    schema = record.get("schema")
    if isinstance(schema, str):
        office, _, rest = schema.partition("/")
        kind, _, version = rest.partition("/")
        if office == "tera" and version == "1" and kind in schema_names():
            return kind
    raise BadRecord("no message of the contract has the schema {schema}", schema=repr(schema)[:80])


def validate(record: Mapping[str, Any], *, kind: str | None = None) -> str:
    """Return the kind of a record that fits its JSON Schema; BadRecord names what does not."""
    found = kind_of(record)
    if kind is not None and found != kind:
        raise BadRecord("a {kind} was expected here, not a {found}", kind=kind, found=found)
    error = next(_validator(found).iter_errors(dict(record)), None)
    if error is not None:
        raise BadRecord(
            "{kind} record, {place}: {why}",
            kind=found,
            place="/".join(str(step) for step in error.instance_path) or "top",
            why=error.message[:300],
        )
    return found


@cache
def schema_names() -> tuple[str, ...]:
    """Return the kinds that have a JSON Schema."""
    files = importlib.resources.files("broker.schema").iterdir()
    return tuple(sorted(f.name.removesuffix(".json") for f in files if f.name.endswith(".json")))


@cache
def _validator(kind: str) -> jsonschema_rs.Validator:
    text = importlib.resources.files("broker.schema").joinpath(f"{kind}.json").read_text("utf-8")
    return jsonschema_rs.validator_for(text, validate_formats=True)


def _plain(value: Any, place: str) -> Any:
    """Return a value as JSON can carry it, with the keys of objects in their order."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise BadRecord("{place} is {value}, which is no number", place=place, value=value)
        return value
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise BadRecord("{place} has a key that is no text: {key}", place=place, key=key)
        return {
            key: item if type(item) in _PLAIN else _plain(item, f"{place}/{key}")
            for key in sorted(sorted(value), key="schema".__ne__)
            for item in (value[key],)
        }
    if isinstance(value, list | tuple):
        return [_plain(item, f"{place}/{index}") for index, item in enumerate(value)]
    if isinstance(value, date):  # a datetime is a date
        return value.isoformat()
    raise BadRecord(
        "{place} is a {type}, which JSON cannot carry", place=place, type=type(value).__name__
    )


def _whole_number(digits: str) -> int | Decimal:
    return Decimal(digits) if digits == "-0" else int(digits)  # an indication may show -0


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):  # two readers could take two different values
        raise ValueError("a key stands twice in one object")
    return found
