"""Keys on disk: private and checked, replaced without a day's gap, withdrawn for good."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import keyring, seal
from broker.failure import BadSecret, Untrusted
from broker.keyring import KeyPair, Signer, as_toml, in_charge, make_key, read_keys, revoke_key
from broker.private_file import read_private, write_private
from broker.record import digest
from broker.seal import PublicKey, SigningKey, Trust
from tests.records import receipt, start, verdict

DAY = date(2026, 11, 24)
RECORD = verdict(start("meja"), 1)


def signed(key: SigningKey, on: date) -> dict[str, object]:
    return receipt(RECORD, digest(RECORD), key=key, received=f"{on}T08:00:00.000Z")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def calendar(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[date]]:
    """Let the keyring live on the day that stands in this list."""
    now = [DAY]
    monkeypatch.setattr(keyring, "today", lambda: now[0])
    monkeypatch.setattr(seal, "_today", lambda: now[0])
    yield now


def test_a_secret_is_written_for_its_owner_only_and_read_only_then(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    before = os.umask(0)
    try:
        write_private(file, b"hush")
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_private(file) == b"hush"
    for mode in (0o640, 0o604, 0o620, 0o602, 0o777):
        file.chmod(mode)
        with pytest.raises(BadSecret, match=f"mode {mode:04o}.: chmod 600") as caught:
            read_private(file)
        assert "hush" not in str(caught.value)
    write_private(file, b"new")
    assert (file.stat().st_mode & 0o777, read_private(file)) == (0o600, b"new")
    with pytest.raises(BadSecret, match="cannot read"):
        read_private(tmp_path / "nowhere")
    with pytest.raises(BadSecret, match="cannot write"):
        write_private(tmp_path / "no" / "folder", b"")
    assert [p.name for p in tmp_path.iterdir()] == ["secret"]


def test_a_key_is_two_files_of_which_one_is_secret(folder: Path) -> None:
    known = make_key(folder, DAY, DAY + timedelta(days=1))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert sorted(p.name for p in folder.iterdir()) == [f"{known.id}.pem", f"{known.id}.toml"]
    [pair] = read_keys(folder)
    assert pair.known == known
    secret = (folder / f"{known.id}.pem").read_text("ascii").splitlines()[1]
    assert secret not in (folder / f"{known.id}.toml").read_text("utf-8")
    assert secret not in repr(pair)
    assert secret not in as_toml(known)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda pem, _: pem.chmod(0o644), "chmod 600"),
        (lambda pem, _: pem.unlink(), "cannot read"),
        (lambda pem, _: pem.write_bytes(b"no key"), "no private key in PEM"),
        (lambda pem, _: pem.write_bytes(SigningKey.generate().to_pem()), "another key"),
        (lambda _, toml: toml.write_text("id = 1"), "does not describe a key"),
        (lambda _, toml: toml.write_text("no TOML"), "does not describe a key"),
        (lambda _, toml: toml.write_bytes(b"\xff"), "does not describe a key"),
    ],
)
def test_a_damaged_or_open_key_is_refused_in_one_sentence(
    folder: Path, damage: object, said: str
) -> None:
    known = make_key(folder, DAY, date(2099, 1, 1))
    damage(folder / f"{known.id}.pem", folder / f"{known.id}.toml")  # type: ignore[operator]
    for read in (lambda: read_keys(folder), lambda: Signer(folder)):
        with pytest.raises(BadSecret, match=said) as caught:
            read()
        assert "\n" not in str(caught.value)


def test_no_folder_no_key_and_no_day_are_said(folder: Path, calendar: list[date]) -> None:
    with pytest.raises(BadSecret, match="no folder"):
        Signer(folder)
    with pytest.raises(BadSecret, match="cannot end"):
        make_key(folder, DAY, DAY - timedelta(days=1))
    make_key(folder, DAY, DAY)
    Signer(folder)
    calendar[0] = DAY + timedelta(days=1)
    with pytest.raises(BadSecret, match="valid today"):
        Signer(folder)
    with pytest.raises(BadSecret, match="no key k-0000000000000000"):
        revoke_key(folder, "k-0000000000000000", DAY)


@contextmanager
def without_rights() -> Iterator[None]:
    """Be nobody for a while, where the tests run as root."""
    before = os.geteuid()
    os.seteuid(65534 if before == 0 else before)
    try:
        yield
    finally:
        os.seteuid(before)


def test_keys_that_may_not_be_read_are_not_taken_for_none() -> None:
    """Keys that root made where the service has no right to look."""
    with TemporaryDirectory() as place:
        folder = Path(place) / "keys"
        make_key(folder, DAY, DAY)
        Path(place).chmod(0o711)
        folder.chmod(0o300)
        try:
            with without_rights(), pytest.raises(BadSecret, match=r"cannot read .*: Permission"):
                Signer(folder)
        finally:
            folder.chmod(0o700)


def test_a_rotation_loses_no_receipt_in_flight(folder: Path, calendar: list[date]) -> None:
    """Whatever the day, what the signer signs is believed by stations that know both keys."""
    first = make_key(folder, DAY, DAY + timedelta(days=20))
    signer = Signer(folder)
    second = make_key(folder, DAY + timedelta(days=7), DAY + timedelta(days=60))
    trust = Trust([first, second])
    used = []
    for day in range(61):
        calendar[0] = DAY + timedelta(days=day)
        key = signer.key()
        assert key is not None
        used.append(key.id)
        message = signed(key, calendar[0])
        trust_of_the_day(trust, message)
    assert used == [first.id] * 7 + [second.id] * 54


def trust_of_the_day(trust: Trust, message: dict[str, object]) -> None:
    trust.check(message, signed=str(message["received"]))


def test_what_tera_keys_does_is_noticed_while_the_records_system_is_at_work(
    folder: Path, calendar: list[date]
) -> None:
    first = make_key(folder, DAY, DAY + timedelta(days=20))
    signer = Signer(folder)
    assert signer.key().id == first.id  # type: ignore[union-attr]
    second = make_key(folder, DAY, DAY + timedelta(days=30))
    by_id = {first.id, second.id}
    assert signer.key().id in by_id  # type: ignore[union-attr]
    revoke_key(folder, first.id, DAY)
    assert signer.key().id == second.id  # type: ignore[union-attr]
    (folder / f"{second.id}.pem").chmod(0o644)
    revoked = revoke_key_unread(folder, second)
    assert signer.key().id == second.id  # type: ignore[union-attr]  # it cannot be read: as before
    (folder / f"{second.id}.pem").chmod(0o600)
    (folder / f"{second.id}.toml").write_text(as_toml(revoked), "utf-8")
    os.utime(folder)
    assert signer.key() is None
    assert {key.id for key in signer.known} == by_id


def revoke_key_unread(folder: Path, key: PublicKey) -> PublicKey:
    revoked = PublicKey(key.id, key.public, key.valid_from, key.valid_until, DAY)
    (folder / "touched").touch()
    return revoked


def test_a_revoked_key_is_not_believed_whatever_it_dates(folder: Path) -> None:
    known = make_key(folder, DAY, date(2099, 1, 1))
    [pair] = read_keys(folder)
    early = signed(pair.secret, DAY)
    Trust([known]).check(early, signed=str(early["received"]))
    revoked = revoke_key(folder, known.id, DAY + timedelta(days=5))
    assert revoke_key(folder, known.id, DAY + timedelta(days=9)) == revoked
    with pytest.raises(Untrusted, match="revoked on 2026-11-29"):
        Trust([revoked]).check(early, signed=str(early["received"]))


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 40), st.booleans()), min_size=1, max_size=5
    ),
    st.integers(0, 90),
)
def test_the_key_in_charge_is_the_latest_that_may_sign(
    spans: list[tuple[int, int, bool]], day: int
) -> None:
    keys = []
    for begin, length, revoked in spans:
        secret = SigningKey.generate()
        first = DAY + timedelta(days=begin)
        last = first + timedelta(days=length)
        known = PublicKey(secret.id, secret.public, first, last, DAY if revoked else None)
        keys.append(KeyPair(known, secret))
    keys.sort(key=lambda pair: (pair.known.valid_from, pair.known.id))
    today = DAY + timedelta(days=day)
    able = [p for p in keys if p.known.signs_on(today)]
    found = in_charge(tuple(keys), today)
    assert (found is None) == (not able)
    if found is not None:
        assert found in able
        assert all(p.known.valid_from <= found.known.valid_from for p in able)
