"""Ed25519 over the canonical bytes of a message: who wrote it, and whether we take that key's word.

``cryptography``'s only door. Receipts are sealed today; verdicts and the heads of the log will be,
by the same two functions. Knows keys, their days and what was signed; opens no file and knows no
configuration.
"""

import hashlib
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from broker.failure import BadSecret, Untrusted
from broker.record import encode


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The public half of a key, and the days on which its word counts."""

    id: str
    """``k-`` and the first 16 digits of the SHA-256 of the public half."""
    public: str
    """The 32 bytes of the public half, base64."""
    valid_from: date
    """First day (UTC) of its signatures."""
    valid_until: date
    """Last day (UTC) of its signatures."""
    revoked: date | None = None
    """Day on which its word was withdrawn, also for what it signed before; None: it counts."""

    def __post_init__(self) -> None:
        wanted = key_id(_raw(self.public))
        if self.id != wanted:
            raise BadSecret(
                "the id of this public key is {wanted}, not {id}", wanted=wanted, id=self.id
            )

    def signs_on(self, day: date) -> bool:
        """Say whether the key may sign on a day."""
        return self.revoked is None and self.valid_from <= day <= self.valid_until


class SigningKey:
    """The secret half of a key; it shows nothing of itself when it is printed."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public = b64encode(raw).decode()
        self.id = key_id(raw)

    @classmethod
    def generate(cls) -> Self:
        """Make a fresh key from the system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, pem: bytes) -> Self:
        """Read an unencrypted PKCS #8 key, as ``openssl genpkey`` writes it too."""
        try:
            private = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise BadSecret("this is no private key in PEM without a passphrase") from None
        if not isinstance(private, Ed25519PrivateKey):
            raise BadSecret("this private key is not for Ed25519")
        return cls(private)

    def to_pem(self) -> bytes:
        """Write the secret half as an unencrypted PKCS #8 key."""
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def signature(self, body: bytes) -> str:
        """Return the signature of some bytes, base64."""
        return b64encode(self._private.sign(body)).decode()

    def __repr__(self) -> str:
        return f"SigningKey({self.id})"


class Trust:
    """The public keys whose word is taken."""

    def __init__(self, keys: Iterable[PublicKey] = ()) -> None:
        self.keys = {key.id: key for key in keys}
        self._loaded = {
            key.id: Ed25519PublicKey.from_public_bytes(_raw(key.public))
            for key in self.keys.values()
        }

    def check(self, record: Mapping[str, Any], *, signed: str) -> None:
        """Raise Untrusted unless a trusted key sealed this message at the time ``signed``.

        What a key says of its time counts, but a key that has ended is not believed any more: the
        station's own clock may be far behind without harm, not the other way round.
        """
        name, signature = record.get("key"), record.get("signature")
        if not isinstance(name, str) or not isinstance(signature, str):
            raise Untrusted("it has no signature")
        key = self.keys.get(name)
        if key is None:
            raise Untrusted(
                "it is signed by the key {key}, which is not trusted here", key=name[:40]
            )
        if key.revoked is not None:
            raise Untrusted(
                "it is signed by the key {key}, which was revoked on {day}",
                key=key.id,
                day=key.revoked,
            )
        day = _day(signed)
        if not key.valid_from <= day <= key.valid_until or _today() > key.valid_until:
            raise Untrusted(
                "it is signed by the key {key} on {day}, which counts from {first} to {last} only;"
                " here it is {today}",
                key=key.id,
                day=day,
                first=key.valid_from,
                last=key.valid_until,
                today=_today(),
            )
        if not verify(record, self._loaded[name]):
            raise Untrusted("its signature by the key {key} does not fit", key=key.id)


def sign(record: Mapping[str, Any], key: SigningKey) -> dict[str, Any]:
    """Return the message with ``key`` and ``signature``; the signature covers all but itself."""
    named = {**record, "key": key.id}
    return {**named, "signature": key.signature(encode(named))}


def verify(record: Mapping[str, Any], key: Ed25519PublicKey) -> bool:
    """Say whether a message bears a key's signature over its canonical bytes."""
    covered = {name: value for name, value in record.items() if name != "signature"}
    try:
        key.verify(b64decode(record["signature"], validate=True), encode(covered))
    except (InvalidSignature, NotBase64, ValueError):
        return False
    return True


def key_id(public: bytes) -> str:
    """Return the short name of a public key."""
    return f"k-{hashlib.sha256(public).hexdigest()[:16]}"


def _raw(public: str) -> bytes:
    try:
        raw = b64decode(public, validate=True)
    except (NotBase64, ValueError):
        raw = b""
    if len(raw) != 32:
        raise BadSecret("a public key is 32 bytes in base64, as `tera keys show` prints it")
    return raw


def _day(timestamp: str) -> date:
    try:
        return datetime.fromisoformat(timestamp).astimezone(UTC).date()
    except (ValueError, OverflowError):
        raise Untrusted("it does not say when it was signed") from None


def _today() -> date:
    return datetime.now(UTC).date()
