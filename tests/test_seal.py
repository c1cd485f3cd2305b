"""A signature covers every value of a message, is known to openssl, and tells nothing secret."""

import subprocess
from base64 import b64decode, b64encode
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.failure import BadSecret, Untrusted
from broker.record import decode, digest, encode
from broker.seal import PublicKey, SigningKey, Trust, key_id, sign
from tests.records import KEY, KNOWN, TIME, TRUST, receipt, start, verdict

RECORD = verdict(start("meja"), 1)
GOOD = receipt(RECORD, digest(RECORD))


def refused(message: dict[str, Any], trust: Trust = TRUST) -> str:
    with pytest.raises(Untrusted) as caught:
        trust.check(message, signed=str(message.get("received", "")))
    return str(caught.value)


def test_what_was_signed_is_believed_after_any_journey_through_json() -> None:
    TRUST.check(GOOD, signed=TIME)
    TRUST.check(decode(encode(GOOD)), signed=TIME)
    turned = dict(reversed(decode(encode(GOOD)).items()))
    TRUST.check(turned, signed=TIME)


@pytest.mark.parametrize("name", sorted(GOOD.keys() - {"key", "signature"}))
def test_no_value_can_be_altered_added_or_taken_away(name: str) -> None:
    other = GOOD[name] + 1 if isinstance(GOOD[name], int) else f"{GOOD[name]} "
    assert "does not fit" in refused({**GOOD, name: other}) or name == "received"
    assert "does not fit" in refused({**GOOD, "more": None})
    with pytest.raises(Untrusted):
        TRUST.check({k: v for k, v in GOOD.items() if k != name}, signed=TIME)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), values, max_size=5))
def test_whatever_can_be_written_can_be_signed_and_read_again(message: dict[str, Any]) -> None:
    try:
        body = encode({**message, "schema": "x"})
    except Exception:  # noqa: BLE001 - half characters and keys twice cannot be written at all
        return
    signed = sign(decode(body), KEY)
    TRUST.check(decode(encode(signed)), signed=TIME)
    assert "does not fit" in refused({**signed, "schema": "y", "received": TIME})


@given(st.binary(min_size=0, max_size=80))
def test_no_other_signature_fits(forged: bytes) -> None:
    if b64encode(forged).decode() != GOOD["signature"]:
        assert "does not fit" in refused({**GOOD, "signature": b64encode(forged).decode()})


def test_a_receipt_cannot_pass_for_another_kind_of_message() -> None:
    assert "does not fit" in refused({**GOOD, "schema": "tera/missing/1"})


def test_a_key_counts_on_its_days_and_the_stations_own_clock_only_ends_it() -> None:
    today = datetime.now(UTC).date()
    ended = PublicKey(KEY.id, KEY.public, date(2026, 1, 1), today - timedelta(days=1))
    dated = f"{ended.valid_until}T12:00:00Z"
    back = receipt(RECORD, digest(RECORD), received=dated)
    assert "counts from 2026-01-01" in refused(back, Trust([ended]))  # as a thief would date it
    ahead = PublicKey(KEY.id, KEY.public, today + timedelta(days=300), today + timedelta(days=600))
    later = receipt(RECORD, digest(RECORD), received=f"{ahead.valid_from}T00:00:00Z")
    Trust([ahead]).check(later, signed=later["received"])  # the station's clock may be behind


def test_an_id_belongs_to_one_public_key() -> None:
    assert key_id(b64decode(KEY.public)) == KEY.id
    other = SigningKey.generate()
    with pytest.raises(BadSecret, match=f"id of this public key is {other.id}"):
        PublicKey(KEY.id, other.public, KNOWN.valid_from, KNOWN.valid_until)
    for wrong in ("", "AAAA", "no base64 !", KEY.public + "AAAA"):
        with pytest.raises(BadSecret, match="32 bytes in base64"):
            PublicKey(KEY.id, wrong, KNOWN.valid_from, KNOWN.valid_until)


def test_only_plain_ed25519_keys_are_read() -> None:
    assert SigningKey.from_pem(KEY.to_pem()).id == KEY.id
    assert KEY.to_pem().decode().splitlines()[1] not in repr(KEY)
    for wrong in (b"", b"no pem", KEY.to_pem().replace(b"M", b"N", 1)):
        with pytest.raises(BadSecret):
            SigningKey.from_pem(wrong)


def openssl(*words: str | Path) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(["openssl", *words], capture_output=True, check=False)


def test_openssl_finds_the_signature_good_and_makes_keys_that_we_read(tmp_path: Path) -> None:
    version = openssl("version")
    if version.returncode or not version.stdout.startswith(b"OpenSSL 3"):
        pytest.skip("OpenSSL 3 is not installed")
    pem, public, body, signature = (tmp_path / n for n in ("pem", "public", "body", "signature"))
    assert openssl("genpkey", "-algorithm", "ed25519", "-out", pem).returncode == 0
    key = SigningKey.from_pem(pem.read_bytes())
    message = sign({"schema": "tera/receipt/1", "stored": 7, "exact": Decimal("1.50")}, key)
    body.write_bytes(encode({k: v for k, v in message.items() if k != "signature"}))
    signature.write_bytes(b64decode(message["signature"]))
    openssl("pkey", "-in", pem, "-pubout", "-out", public)
    verify = ("pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin", "-in", body)
    assert openssl(*verify, "-sigfile", signature).returncode == 0
    body.write_bytes(body.read_bytes().replace(b"7", b"8"))
    assert openssl(*verify, "-sigfile", signature).returncode != 0
    ours = tmp_path / "ours"
    ours.write_bytes(key.to_pem())
    assert openssl("pkey", "-in", ours, "-noout").returncode == 0
    other = tmp_path / "rsa"
    assert openssl(
        "genpkey", "-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:1024", "-out", other
    )
    with pytest.raises(BadSecret, match="not for Ed25519"):
        SigningKey.from_pem(other.read_bytes())
