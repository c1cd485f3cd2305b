"""The records system's own keys, as files of one folder.

Each key is two files named by its id: ``ID.pem`` holds the secret half and is private, ``ID.toml``
the public half with its days. A key that was made, rotated or revoked by ``tera keys`` while the
records system is at work is noticed there. No file is ever deleted.
"""

import logging
import time
import tomllib
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

from broker.failure import BadSecret
from broker.private_file import read_private, write_private, write_whole
from broker.seal import PublicKey, SigningKey

log = logging.getLogger(__name__)

_HEAD = "# Public half of a key of the records system; its stations list it under [[records.trusted]].\n"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """One key with both halves."""

    known: PublicKey
    secret: SigningKey


def read_keys(folder: Path) -> tuple[KeyPair, ...]:
    """Read every key, oldest first; BadSecret when a private file is not private."""
    if not folder.is_dir():
        raise BadSecret(
            "there is no folder {file} with keys: `tera keys make` makes one", file=folder
        )
    try:
        files = [file for file in folder.iterdir() if file.match("k-*.toml")]
    except OSError as error:
        raise BadSecret("cannot read {file}: {why}", file=folder, why=error.strerror) from None
    pairs = [_pair(file) for file in files]
    return tuple(sorted(pairs, key=lambda pair: (pair.known.valid_from, pair.known.id)))


def make_key(folder: Path, valid_from: date, valid_until: date) -> PublicKey:
    """Make a key; its secret half is on the disk before its public half says that it exists."""
    if valid_until < valid_from:
        raise BadSecret(
            "a key cannot end on {last}, before it begins on {first}",
            first=valid_from,
            last=valid_until,
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BadSecret("cannot write {file}: {why}", file=folder, why=error.strerror) from None
    secret = SigningKey.generate()
    known = PublicKey(secret.id, secret.public, valid_from, valid_until)
    write_private(folder / f"{known.id}.pem", secret.to_pem())
    _write(folder, known)
    return known


def revoke_key(folder: Path, name: str, on: date) -> PublicKey:
    """Withdraw a key for good; revoking it twice keeps the first day."""
    for pair in read_keys(folder):
        if pair.known.id == name:
            revoked = replace(pair.known, revoked=pair.known.revoked or on)
            _write(folder, revoked)
            return revoked
    raise BadSecret("there is no key {id} in {file}", id=name, file=folder)


def in_charge(keys: tuple[KeyPair, ...], day: date) -> KeyPair | None:
    """Return the key that signs on a day: of those that may, the one that began last."""
    able = [pair for pair in keys if pair.known.signs_on(day)]
    return able[-1] if able else None


def as_setting(key: PublicKey) -> dict[str, str | date]:
    """Return the public half of a key as the configuration of a station names it."""
    days = {"from": key.valid_from, "until": key.valid_until}
    revoked = {"revoked": key.revoked} if key.revoked else {}
    return {"id": key.id, "public": key.public, **days, **revoked}


def as_toml(key: PublicKey, table: str = "") -> str:
    """Write the public half of a key as a table of ``config.toml``."""
    lines = [
        f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value}"
        for name, value in as_setting(key).items()
    ]
    return "\n".join([*([table] if table else []), *lines, ""])


class Signer:
    """Signs with whichever key of a folder is in charge today."""

    def __init__(self, folder: Path) -> None:
        """Read the keys; BadSecret when one is not private, or none may sign today."""
        self._folder = folder
        self._seen = _state(folder)
        self._keys = read_keys(folder)
        if self.key() is None:
            raise BadSecret(
                "no key in {file} is valid today, which is {day} by the clock of this computer:"
                " correct the clock, or make one with `tera keys rotate`",
                file=folder,
                day=today(),
            )

    @property
    def known(self) -> tuple[PublicKey, ...]:
        """Return the public halves of all keys, oldest first."""
        return tuple(pair.known for pair in self._keys)

    def key(self) -> SigningKey | None:
        """Return the key in charge, after a look at whether the folder has changed."""
        self._look()
        pair = in_charge(self._keys, today())
        return None if pair is None else pair.secret

    def _look(self) -> None:
        state = _state(self._folder)
        if state == self._seen:
            return
        # Another change in the same tick of the clock would not show: look once more after it.
        self._seen = state if time.time_ns() - state > 100_000_000 else 0
        try:
            self._keys = read_keys(self._folder)
        except BadSecret as error:
            log.error("the keys stay as they were: %s", error)
        else:
            log.debug("the keys were read again: %s", ", ".join(p.known.id for p in self._keys))


def today() -> date:
    """Return the day, UTC."""
    return datetime.now(UTC).date()


def _pair(file: Path) -> KeyPair:
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
        known = PublicKey(
            found["id"], found["public"], found["from"], found["until"], found.get("revoked")
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadSecret("{file} does not describe a key: {why}", file=file, why=error) from None
    try:
        secret = SigningKey.from_pem(read_private(file.with_suffix(".pem")))
    except BadSecret as error:
        if "file" in error.evidence:
            raise
        raise BadSecret(
            "{file} does not hold a key: {why}", file=file.with_suffix(".pem"), why=error
        ) from None
    if secret.id != known.id:
        raise BadSecret(
            "{file} holds another key than its name says", file=file.with_suffix(".pem")
        )
    return KeyPair(known, secret)


def _write(folder: Path, key: PublicKey) -> None:
    write_whole(folder / f"{key.id}.toml", (_HEAD + as_toml(key)).encode())


def _state(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0
