"""``tera broker``, as the office uses it: who there is gets a certificate, and nobody else."""

import io
import json
import ssl
import stat
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from acquisition.cli import main
from acquisition.config import load_station
from acquisition.faults import BadInput
from acquisition.finding import Finding
from acquisition.language import choose
from acquisition.secured import checked_tls
from acquisition.tls_findings import tls_findings
from broker.access import Listener, OfficeAccess, access_file, listener_file, listener_in
from broker.address import BrokerAddress, Tls
from broker.authority import Authority, certificate_of, read_certificate
from broker.failure import BadSecret
from broker.record import encode
from broker.secure_line import explain, secure_context
from broker.store import RecordStore
from tests.records import start
from tests.stations import scale_bench, tera, write_station

NAMES = ["broker", "meja-1@3516", "meja-2@3516", "records@3516"]


def station(folder: Path, more: str = "") -> Path:
    """Write a station of two benches that connects over TLS."""
    secured = f'[broker.tls]\nfolder = "data/authority"\n{more}'
    return write_station(folder, scale_bench(1), scale_bench(2), more=secured)


def called(*arguments: str | Path) -> tuple[int, str, str]:
    """Call the command line in this process; return exit code, output and errors."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return code, out.getvalue(), err.getvalue()


def listed(*arguments: str | Path) -> list[dict[str, Any]]:
    code, out, err = called("broker", *arguments, "--json")
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()]


def refused(*arguments: str | Path) -> str:
    code, _, err = called(*arguments)
    assert code == 2, err
    [sentence] = err.splitlines()
    return sentence


def test_an_office_makes_shows_renews_and_takes_back_its_certificates(tmp_path: Path) -> None:
    config = ("--config", station(tmp_path))
    folder = tmp_path / "data" / "authority"
    assert "tera broker make" in refused("broker", "show", *config)
    hosts = ("--host", "broker.upt.local", "--host", "10.0.0.7")
    code, out, err = called("broker", "make", *config, *hosts)
    assert code == 0, err
    assert "broker.key" in err  # what is to be done with it
    made = listed("show", *config)
    assert [entry["name"] for entry in made] == NAMES
    assert made[0]["hosts"] == ["broker.upt.local", "10.0.0.7"]
    assert {entry["state"] for entry in made} == {"valid"}
    for name in ("ca", *NAMES):
        mode = stat.S_IMODE((folder / f"{name}.key").stat().st_mode)
        assert mode == 0o600
        secret = (folder / f"{name}.key").read_text("ascii").splitlines()[1]
        for text in (
            out,
            err,
            (folder / "tera.conf").read_text(),
            (folder / "tera.acl").read_text(),
        ):
            assert secret not in text
    assert "authority already" in refused("broker", "make", *config)

    assert "nobody lacks a certificate" in called("broker", "issue", *config)[2]
    assert listed("show", *config) == made
    (folder / "records@3516.key").unlink()  # it was copied to where it is used
    (folder / "meja-2@3516.crt").unlink()
    again = listed("issue", *config)
    assert [entry["name"] for entry in again] == sorted([*NAMES, "meja-2@3516"])
    renewed = listed("issue", *config, "meja-1", "--days", "10")
    assert [entry["name"] for entry in renewed].count("meja-1@3516") == 2
    assert len(listed("issue", *config)) == len(renewed) + 1  # ten days are soon over

    taken = listed("revoke", *config, "meja-1")
    assert [e["state"] for e in taken if e["name"] == "meja-1@3516"] == ["revoked"] * 3
    one = next(entry["serial"] for entry in taken if entry["name"] == "meja-2@3516")
    states = {e["serial"]: e["state"] for e in listed("revoke", *config, one)}
    assert sorted(states.values()) == ["revoked"] * 4 + ["valid"] * 3
    assert listed("issue", *config, "broker")[-1]["state"] == "valid"
    brokers = [e["hosts"] for e in listed("show", *config) if e["name"] == "broker"]
    assert brokers == [["broker.upt.local", "10.0.0.7"]] * 2  # renewed for the same names
    assert "restart it now" in called("broker", "revoke", *config, "records")[2]


def test_what_cannot_be_is_refused_in_one_sentence(tmp_path: Path) -> None:
    config = ("--config", station(tmp_path))
    other = tmp_path / "other"
    other.mkdir()
    same = write_station(other, scale_bench(1))
    for wrong, said in (
        (("make", "--days", "0"), "--days: 0 is not between 1"),
        (("make", "--port", "0"), "--port: 0 is no port"),
        (("make", "--host", "two words"), "two words is no name of a computer"),
        (("make", "--with", same), "two stations of office 3516 have a bench meja-1"),
        (("make", "--folder", config[1] / "x"), "cannot write"),
        (("make", "--with", tmp_path / "nowhere"), "no such configuration file"),
    ):
        assert said in refused("broker", *wrong, *config), wrong
    assert not (tmp_path / "data").exists()  # nothing is half made
    listed("make", *config)
    assert "meja-7@3516 stands in no configuration" in refused("broker", "issue", "meja-7", *config)
    assert "no certificate meja-7@3516" in refused("broker", "revoke", "meja-7", *config)
    key = tmp_path / "data" / "authority" / "ca.key"
    key.chmod(0o644)
    assert "chmod 600" in refused("broker", "issue", *config)
    key.chmod(0o600)
    key.write_text("no key")
    assert "is not the key of an authority" in refused("broker", "issue", *config)


def test_every_station_of_the_broker_stands_in_the_access_file(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    real = scale_bench(9, port="socket://192.0.2.1:4001").replace("[[bench]]", "[[bench]]", 1)
    more = write_station(other, real, more='[broker.tls]\nfolder = "tls"\n')
    config = ("--config", station(tmp_path), "--with", more)
    listed("make", *config)
    files = [Path(line["file"]) for line in listed("acl", *config, "--port", "8884", "--at", "/x")]
    acl, conf = (file.read_text("utf-8") for file in files)
    assert "user meja-9@3516\ntopic readwrite tera/v1/3516/state/meja-9\n" in acl
    assert "listener 8884\ncafile /x/ca.crt" in conf
    for trial_only in ("meja-1@3516", "meja-2@3516"):
        rules = acl.partition(f"user {trial_only}\n")[2].partition("\n\n")[0]
        written = [rule for rule in rules.splitlines() if rule.split()[1] != "read"]
        assert written
        assert all(" tera/v1/3516/trial/" in rule for rule in written)


def test_the_files_of_the_broker_forget_nobody_and_stay_where_they_were(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    more = write_station(other, scale_bench(9), more='[broker.tls]\nfolder = "tls"\n')
    config = ("--config", station(tmp_path))
    place = ("--port", "8884", "--listen", "10.0.0.7", "--at", "/srv/tera")
    listed("make", *config, "--with", more, *place)
    sentence = refused("broker", "acl", *config)
    assert "meja-9@3516 has a certificate that counts" in sentence
    assert "--with" in sentence
    [acl, conf] = [Path(file["file"]) for file in listed("acl", *config, "--with", more)]
    assert "user meja-9@3516\n" in acl.read_text("utf-8")
    text = conf.read_text("utf-8")
    assert "listener 8884 10.0.0.7\ncafile /srv/tera/ca.crt\n" in text
    assert listener_in(text) == Listener("/srv/tera", 8884, "10.0.0.7")
    assert listener_in("# another program's") == Listener()
    listed("acl", *config, "--with", more, "--listen", "")
    assert "listener 8884\ncafile /srv/tera" in conf.read_text("utf-8")

    # What was given once is renewed without the configurations of all stations ...
    (other / "config.toml").unlink()
    assert [e["name"] for e in listed("issue", *config, "meja-9")].count("meja-9@3516") == 2
    (conf.parent / "meja-9@3516.crt").unlink()
    assert [e["name"] for e in listed("issue", *config)].count("meja-9@3516") == 3
    # ... until it is taken back: then the bench is gone.
    listed("revoke", *config, "meja-9")
    assert "nobody lacks a certificate" in called("broker", "issue", *config)[2]
    listed("acl", *config)
    assert "meja-9" not in acl.read_text("utf-8")


def test_two_who_would_have_one_name_are_refused() -> None:
    for office in (
        OfficeAccess("3516", {"records": False}),
        OfficeAccess("3516", {"layar": False}, ("layar",)),
    ):
        with pytest.raises(BadSecret, match="is the name of two"):
            access_file([office])


def test_a_listener_lets_in_nobody_without_a_certificate() -> None:
    text = listener_file("/etc/mosquitto/tera", 8883).splitlines()
    for line in ("require_certificate true", "allow_anonymous false", "tls_version tlsv1.2"):
        assert line in text
    assert [line for line in text if line.startswith("listener")] == ["listener 8883"]


# ---- what the station finds out about its files

Spoil = Callable[[Path, Authority], object]


def _end(folder: Path, authority: Authority) -> None:
    authority.issue("meja-1@3516", begins=datetime.now(UTC) - timedelta(days=20), days=10)


def _end_soon(folder: Path, authority: Authority) -> None:
    authority.issue("meja-1@3516", days=20)


def _wait(folder: Path, authority: Authority) -> None:
    authority.issue("meja-1@3516", begins=datetime.now(UTC) + timedelta(days=20))


def _swap(folder: Path, authority: Authority) -> None:
    for end in ("crt", "key"):
        (folder / f"meja-2@3516.{end}").replace(folder / f"meja-1@3516.{end}")
    authority.issue("meja-2@3516")


def _cross(folder: Path, authority: Authority) -> None:
    own = folder / "meja-1@3516.crt"
    kept = own.read_bytes()
    authority.issue("meja-1@3516")
    own.write_bytes(kept)


def _with_passphrase(folder: Path, authority: Authority) -> None:
    key = folder / "meja-1@3516.key"
    key.write_text(key.read_text().replace("BEGIN PRIVATE", "BEGIN ENCRYPTED PRIVATE"))


SPOILT: dict[str, tuple[Spoil, str, str]] = {
    "readable": (lambda f, _: (f / "meja-1@3516.key").chmod(0o640), "fault", "(mode 0640)"),
    "no key": (lambda f, _: (f / "meja-1@3516.key").unlink(), "fault", "cannot read"),
    "no certificate": (lambda f, _: (f / "meja-1@3516.crt").unlink(), "fault", "cannot read"),
    "damaged": (lambda f, _: (f / "meja-1@3516.crt").write_text("x"), "fault", "holds no certif"),
    "of another": (_swap, "fault", "is the certificate of meja-2@3516, not of meja-1@3516"),
    "another key": (_cross, "fault", "does not fit the certificate"),
    "passphrase": (_with_passphrase, "fault", "PEM without a passphrase"),
    "ended": (_end, "fault", "it ended on"),
    "ends soon": (_end_soon, "note", "valid until"),
    "not yet": (_wait, "fault", "it counts from"),
}


@pytest.fixture
def secured(tmp_path: Path) -> tuple[Path, Path, Authority]:
    """Return configuration and folder of a station with good certificates, and their authority."""
    folder = tmp_path / "data" / "authority"
    authority = Authority.make(folder, "tante-sari 3516")
    authority.issue("broker", hosts=["127.0.0.1"])
    for name in NAMES[1:]:
        authority.issue(name)
    return station(tmp_path), folder, authority


def of_bench(findings: list[Finding]) -> Finding:
    [found] = [finding for finding in findings if finding.what.endswith("meja-1@3516")]
    return found


@pytest.mark.parametrize(("spoil", "state", "said"), SPOILT.values(), ids=SPOILT.keys())
def test_the_doctor_names_what_is_wrong_with_a_certificate_in_one_sentence(
    secured: tuple[Path, Path, Authority], spoil: Spoil, state: str, said: str
) -> None:
    config, folder, authority = secured
    settings = load_station(config)
    choose("en")
    assert of_bench(tls_findings(settings)).state == "ok"
    spoil(folder, authority)
    findings = tls_findings(settings)
    found = of_bench(findings)
    assert (found.state, said in found.text) == (state, True), found
    assert found.advice
    others = [finding for finding in findings if finding.what.endswith("meja-2@3516")]
    assert [finding.state for finding in others] == ["ok"]  # none hides another
    if state == "fault" and not said.startswith("it "):  # a date is the broker's matter
        with pytest.raises(BadInput, match=r"^broker\.tls: "):
            checked_tls(settings, "meja-1")
    else:
        assert checked_tls(settings, "meja-1")


def test_the_doctor_looks_at_the_authority_and_at_a_way_that_is_not_secured(
    secured: tuple[Path, Path, Authority], tmp_path: Path
) -> None:
    config, folder, _ = secured
    choose("en")
    assert "ca.key lies on this computer" in tls_findings(load_station(config))[-1].text
    (folder / "ca.key").unlink()
    assert {finding.state for finding in tls_findings(load_station(config))} == {"ok"}
    (folder / "ca.crt").write_text("nothing")
    found = tls_findings(load_station(config))[0]
    assert (found.state, "holds no certificate" in found.text) == ("fault", True)
    plain = tmp_path / "plain"
    plain.mkdir()
    text = write_station(plain, scale_bench(1)).read_text()
    assert tls_findings(load_station(plain / "config.toml")) == []
    far = text.replace("[broker]", '[broker]\nhost = "10.0.0.7"')
    (plain / "config.toml").write_text(far)
    [open_to_all] = tls_findings(load_station(plain / "config.toml"))
    assert (open_to_all.state, "not secured" in open_to_all.text) == ("note", True)


@pytest.mark.parametrize("command", [("run",), ("records", "serve")])
def test_a_key_that_others_can_read_stops_station_and_records_system_at_the_start(
    secured: tuple[Path, Path, Authority], command: tuple[str, ...]
) -> None:
    config, folder, _ = secured
    assert called("keys", "make", "--config", config)[0] == 0
    whose = "records@3516" if command[0] == "records" else "meja-2@3516"
    (folder / f"{whose}.key").chmod(0o644)
    done = tera(*command, "--config", config)
    assert done.returncode == 2, done.stderr
    [sentence] = done.stderr.decode().splitlines()
    assert "broker.tls: " in sentence
    assert f"chmod 600 {folder / whose}.key" in sentence


def test_an_empty_table_of_tls_is_refused(tmp_path: Path) -> None:
    config = write_station(tmp_path, scale_bench(1), more="[broker.tls]\n")
    with pytest.raises(BadInput, match="write folder, ca_file or both"):
        load_station(config)


def test_an_authority_that_ends_gives_nothing_that_counts_longer(tmp_path: Path) -> None:
    authority = Authority.make(tmp_path / "a", "short", days=5)
    made = authority.issue("meja-1@3516", days=730)
    assert made.ends <= datetime.now(UTC) + timedelta(days=6)
    assert read_certificate(certificate_of(tmp_path / "a", "meja-1@3516")[0]) == made
    with pytest.raises(BadSecret, match="itself ends on"):
        authority.issue("meja-1@3516", begins=datetime.now(UTC) + timedelta(days=30))
    with pytest.raises(BadSecret, match="too long for a certificate"):
        authority.issue("m" * 64 + "@3516")


def test_a_list_of_another_authority_is_refused(tmp_path: Path) -> None:
    ours, theirs = (Authority.make(tmp_path / name, name) for name in ("ours", "theirs"))
    ours.issue("meja-1@3516")
    (ours.folder / "crl.pem").write_bytes((theirs.folder / "crl.pem").read_bytes())
    with pytest.raises(BadSecret, match="was not signed by this authority"):
        ours.revoke("meja-1@3516")


def test_what_a_broker_says_of_our_certificate_becomes_one_sentence(tmp_path: Path) -> None:
    tls = Tls(None, "", tmp_path / "own.crt", tmp_path / "own.key")
    address = BrokerAddress("broker", 8883, tls=tls)
    for alert, said in (
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", "has ended: renew it"),
        ("SSLV3_ALERT_CERTIFICATE_REVOKED", "was revoked"),
        ("TLSV1_ALERT_UNKNOWN_CA", "does not know the authority"),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "does not take the certificate"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "older than 1.2"),
    ):
        found = explain(None, f"failed to receive on socket: [SSL: {alert}] x (_ssl.c:1)", address)
        assert found is not None
        assert said in str(found)
    bare = replace(address, tls=Tls())
    found = explain(None, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED]", bare)
    assert "wants a certificate from us" in str(found)
    assert explain(OSError("no route"), "", address) is None


def test_tls_is_never_older_than_1_2_and_never_unchecked(tmp_path: Path) -> None:
    authority = Authority.make(tmp_path, "x")
    for tls in (Tls(), Tls(authority.folder / "ca.crt")):
        context = secure_context(tls)
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname


async def test_a_number_that_two_verifications_claim_is_found_in_both_databases(
    where: Path | str,
) -> None:
    store = await RecordStore.open(where)
    try:
        for number in (1, 2, 2):
            await store.accept(encode({**start("meja"), "number": number}))
        await store.accept(encode({**start("lain"), "number": 2}))
        asked = [("meja", 1), ("meja", 2), ("lain", 2), ("meja", 3)]
        assert await store.claimed_twice("3516", asked) == (("meja", 2),)
        assert await store.claimed_twice("9999", asked) == ()
        assert await store.claimed_twice("3516", []) == ()
    finally:
        await store.close()
