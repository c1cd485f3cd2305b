"""Messages as bytes: exact decimals, one canonical form, and refusals that name the place."""

import time
import uuid
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.address import Topics, level
from broker.failure import BadRecord
from broker.record import LIMIT, decode, digest, encode, new_id, validate
from tests.records import start, verdict

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), VALUES))
def test_what_was_written_is_read_back_and_written_alike_again(record: dict[str, Any]) -> None:
    body = encode(record)
    assert decode(body) == record
    assert encode(decode(body)) == body


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_every_displayed_digit_survives(shown: Decimal) -> None:
    read = decode(encode({"value": shown}))["value"]
    assert str(read) == str(shown)


@pytest.mark.parametrize(
    ("shown", "written"),
    [
        ("100.00", b"100.00"),
        ("-0", b"-0"),
        ("-0.000", b"-0.000"),
        ("1E+3", b"1E+3"),
        ("0.1", b"0.1"),
    ],
)
def test_decimals_are_printed_as_displayed(shown: str, written: bytes) -> None:
    assert encode({"value": Decimal(shown)}) == b'{"value":' + written + b"}"


def test_schema_stands_first_and_the_order_of_keys_does_not_change_the_digest() -> None:
    one = {"a": 1, "schema": "tera/order/1", "b": {"d": 1, "c": 2}}
    other = {"b": {"c": 2, "d": 1}, "schema": "tera/order/1", "a": 1}
    assert encode(one) == b'{"schema":"tera/order/1","a":1,"b":{"c":2,"d":1}}' == encode(other)
    assert digest(one) == digest(encode(other))
    assert digest(one).startswith("sha256:")


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        ({"error": Decimal("NaN")}, "/error is NaN, which is no number"),
        ({"tests": [{"error": float("inf")}]}, "/tests/0/error is Infinity"),
        ({"raw": b"S S"}, "/raw is a bytes, which JSON cannot carry"),
        ({"environment": {1: 2}}, "/environment has a key that is no text: 1"),
        ({"text": "\ud800"}, "not Unicode"),
        ({"text": "x" * LIMIT}, "more than the"),
    ],
)
def test_what_json_cannot_carry_is_refused_by_its_place(
    record: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BadRecord, match=sentence):
        encode(record)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"17",
        b"[]",
        b"{",
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":1,"a":2}',
        b'{"b":{"a":1,"a":2}}',
        b"\xff",
        b"[" * 100_000,
        b'{"a":' + b"9" * 10_000 + b"}",
        b" " * (LIMIT + 1),
    ],
)
def test_bytes_that_are_no_message_are_refused(body: bytes) -> None:
    with pytest.raises(BadRecord):
        decode(body)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"verdict": "pass"}, "verdict"),
        ({"number": 0}, "number"),
        ({"number": "1"}, "number"),
        ({"decided": "yesterday"}, "decided"),
        ({"decided": "2026-11-24T08:00:00+07:00"}, "decided"),
        ({"bench": "meja/1"}, "bench"),
        ({"trial": True}, "legal"),
        ({"origin": "replay"}, "trial"),
        ({"table": {"id": "r76"}}, "table"),
        ({"raw": [{"point": "zero"}]}, "raw/0"),
        ({"software": {}}, "software"),
    ],
)
def test_a_verdict_that_does_not_fit_the_contract_is_refused_by_its_place(
    change: dict[str, Any], place: str
) -> None:
    good = verdict(start("meja"), 1)
    assert validate(good) == "verdict"
    with pytest.raises(BadRecord, match=f"verdict record, {place}"):
        validate({**good, **change})


@pytest.mark.parametrize(
    "schema", [None, 1, "", "tera/verdict/2", "tera/__init__/1", "x/verdict/1"]
)
def test_an_unknown_schema_is_refused(schema: object) -> None:
    with pytest.raises(BadRecord, match="no message of the contract"):
        validate({"schema": schema})


@pytest.mark.parametrize("name", ["", "a/b", "+", "#", "a\0", "x" * 201])
def test_a_name_that_would_change_a_topic_is_refused(name: str) -> None:
    with pytest.raises(BadRecord, match="MQTT topic"):
        level(name)


def test_topics_are_those_of_the_contract() -> None:
    legal, trial = Topics("3516"), Topics("3516", trial=True)
    assert legal.verdict("id") == "tera/v1/3516/verdicts/id"
    assert trial.verdict("id") == "tera/v1/3516/trial/verdicts/id"
    assert legal.record("abandonment", "id") == "tera/v1/3516/starts/id"
    assert trial.receipts("meja") == "tera/v1/3516/trial/receipts/meja"
    assert legal.live("meja", "timbangan-1") == "tera/v1/3516/live/meja/timbangan-1"


def test_an_identity_is_unique_and_begins_with_the_time() -> None:
    before = time.time_ns() // 1_000_000
    names = [new_id() for _ in range(2000)]
    after = time.time_ns() // 1_000_000
    found = [uuid.UUID(name) for name in names]
    assert [str(one) for one in found] == names
    assert {(one.version, one.variant) for one in found} == {(7, uuid.RFC_4122)}
    assert all(before <= one.int >> 80 <= after for one in found)
    assert len({one.int & ~(-1 << 62) for one in found}) == len(found)
