"""``tera records`` and ``tera keys``, as whoever runs a records system uses them."""

import asyncio
import json
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from acquisition.cli import main
from broker.failure import ConflictingRecord
from broker.outbox import Outbox
from broker.record import digest, encode
from broker.store import RecordStore
from tests.mosquitto import MISSING, PROGRAM, PUBLISH, Mosquitto
from tests.postgres import PASSWORD, Postgres
from tests.records import receipt, start, verdict, verify_once
from tests.stations import (
    line_with,
    order,
    publish_order,
    scale_bench,
    tera,
    tera_at_work,
    write_station,
)

needs_mosquitto = pytest.mark.skipif(None in (PROGRAM, PUBLISH), reason=MISSING)


def write_config(folder: Path, more: str = "", *, broker: int = 1) -> Path:
    """Write the configuration of a records system without benches."""
    file = folder / "config.toml"
    text = f'[office]\ncode = "3516"\n[console]\nlanguage = "en"\n[broker]\nport = {broker}\n{more}'
    file.write_text(text, encoding="utf-8")
    return file


def lines(done: Any) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def refused(*arguments: str | Path, code: int = 2) -> str:
    """Run a command that must fail with one clear sentence, and return that."""
    done = tera(*arguments)
    assert done.returncode == code, (done.stdout, done.stderr)
    [sentence] = done.stderr.decode().splitlines()
    return sentence


@needs_mosquitto
async def test_a_station_delivers_to_a_records_system_that_has_its_own_key(
    tmp_path: Path, where: Path | str
) -> None:
    """From `tera keys make` to `tera records show`: an order of two scales, verified and stored."""
    broker = Mosquitto(tmp_path)
    await broker.start()
    office, bench = tmp_path / "office", tmp_path / "bench"
    office.mkdir()
    bench.mkdir()
    store = f'[store]\nrecords = "{where}"\n'
    records = write_config(office, store, broker=broker.port)
    made = tera("keys", "make", "--config", records)
    block = made.stdout.decode().partition("[[records.trusted]]")[2]
    assert made.returncode == 0
    station = write_config(
        bench,
        '[[standards]]\nid = "W-07"\nkind = "weights"\ncertificate = "K-1"\ndue = 2099-12-31\n'
        f'mpe = "0.75 g"\n[[records.trusted]]{block}' + scale_bench(1) + scale_bench(2),
        broker=broker.port,
    )
    try:
        async with tera_at_work("records", "serve", "--config", records) as serving:
            said = await line_with(serving.stderr, "records system of office 3516")
            assert "SIGTERM" in said
            async with tera_at_work("run", "--config", station) as service:
                await line_with(service.stderr, "the station runs")
                await publish_order(broker, order("P-7", "timbangan-1", "timbangan-2", "neraca-9"))
                await line_with(service.stderr, "neraca-9, which this station does not have")
                listing = ("records", "list", "--config", records, "--kind", "verdict", "--json")
                async with asyncio.timeout(60):
                    while len(lines(await asyncio.to_thread(tera, *listing))) < 2:
                        await asyncio.sleep(0.1)
                service.send_signal(signal.SIGTERM)
                assert await service.wait() == 0
            serving.send_signal(signal.SIGTERM)
            await line_with(serving.stderr, "4 records stored or found again, 0 refused")
            assert await serving.wait() == 0
    finally:
        broker.kill()
    found = lines(tera("records", "list", "--config", records, "--json"))
    assert [(r["stored"], r["trial"], r["whole"]) for r in found] == [
        (n, True, True) for n in (1, 2, 3, 4)
    ]
    [begun, ended] = lines(tera("records", "show", "2", "--config", records, "--json"))
    assert (begun["kind"], ended["kind"]) == ("start", "verdict")
    assert begun["record"]["subject"] in ("timbangan-1", "timbangan-2")
    shown = tera("records", "show", ended["id"], "--config", records)
    assert shown.returncode == 0
    assert "TRIAL, not legal" in shown.stdout.decode()
    assert "Verdict: conforming" in shown.stdout.decode()


async def filled(path: Path) -> list[dict[str, Any]]:
    store = await RecordStore.open(path)
    made = []
    try:
        for number in range(1, 6):
            begun = {**start("meja", trial=number == 5), "number": number}
            made.append(
                verdict(begun, number, verdict="conforming" if number % 2 else "nonconforming")
            )
            await store.accept(encode(begun))
            await store.accept(encode(made[-1]))
    finally:
        await store.close()
    return made


async def test_records_are_listed_by_what_is_asked_for(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    (tmp_path / "data").mkdir()
    made = await filled(tmp_path / "data" / "records.sqlite")

    def listed(*options: str) -> list[int]:
        return [
            r["stored"]
            for r in lines(tera("records", "list", "--config", config, "--json", *options))
        ]

    assert listed() == list(range(1, 11))
    assert listed("--limit", "3") == [8, 9, 10]
    assert listed("--limit", "0") == list(range(1, 11))
    assert listed("--verdict", "nonconforming") == [4, 8]
    assert listed("--kind", "start", "--no-trials") == [1, 3, 5, 7]
    assert listed("--trials") == [9, 10]
    assert listed("--bench", "other") == []
    assert listed("--since", "2026-01-01", "--before", "2999-01-01") == list(range(1, 11))
    assert listed("--before", "2026-01-01") == []
    assert listed("--serial", "A-1042") == [2, 4, 6, 8, 10]
    assert listed("--serial", "A-1042", "--verdict", "nonconforming", "--limit", "1") == [8]
    assert listed("--serial", "A-104") == []
    printed = tera("records", "list", "--config", config, "--limit", "1")
    assert "TRIAL, not legal" in printed.stdout.decode()
    shown = tera("records", "show", "10", "--config", config)
    assert f"identity: {made[4]['id']}" in shown.stdout.decode()
    anywhere = tera("records", "list", "--from", "records.sqlite", cwd=tmp_path / "data")
    assert anywhere.returncode == 0, (
        anywhere.stderr.decode()
    )  # also where there is no configuration
    for wrong, said in [
        (("--since", "yesterday"), "--since: yesterday is not a date"),
        (("--limit", "-1"), "--limit"),
        (("--trials", "--no-trials"), "not both"),
        (("--from", str(tmp_path / "nowhere")), "no such file"),
        (("--from", str(config)), "no such database"),
    ]:
        assert said in refused("records", "list", "--config", config, *wrong)
    assert "no record 99" in refused("records", "show", "99", "--config", config)
    assert "not made yet" in refused("records", "certificate", "1", "--config", config)


async def test_what_contradicts_a_record_is_shown_and_the_doctor_points_to_it(
    tmp_path: Path,
) -> None:
    config = write_config(tmp_path)
    (tmp_path / "data").mkdir()
    file = tmp_path / "data" / "records.sqlite"
    [first, *_] = await filled(file)
    nothing = tera("records", "conflicts", "--config", config, "--json")
    assert (nothing.returncode, nothing.stdout) == (0, b"")
    other = {**first, "reasons": ["another one"]}
    store = await RecordStore.open(file)
    try:
        with pytest.raises(ConflictingRecord):
            await store.accept(encode(other))
    finally:
        await store.close()
    told = tera("records", "conflicts", "--config", config, "--json")
    assert told.returncode == 1
    [found] = [json.loads(line) for line in told.stdout.splitlines()]
    assert (found["id"], found["record"]) == (first["id"], other)
    assert first["id"] in tera("records", "conflicts", "--config", config).stdout.decode()
    checks = {row["check"]: row for row in doctor(config)}
    assert "10 records of 1 benches, the newest of meja" in checks["store"]["text"]
    assert checks["conflicts"]["state"] == "note"
    assert "tera records conflicts" in checks["conflicts"]["advice"]


def doctor(config: Path) -> list[dict[str, Any]]:
    done = tera("doctor", "--config", config, "--json")
    assert done.returncode == 3, done.stderr.decode()  # there is no broker
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_doctor_examines_a_records_system_too(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    found = {row["check"]: row for row in doctor(config)}
    assert found["own keys"]["state"] == "fault"
    assert "tera keys make" in found["own keys"]["text"]
    assert found["store"]["text"] == "will be made at the first start"
    assert not (tmp_path / "data").exists()  # it looks and leaves nothing behind
    lines(tera("keys", "make", "--days", "10", "--config", config, "--json"))
    row = {row["check"]: row for row in doctor(config)}["own keys"]
    assert row["state"] == "note"  # ten days are soon over
    lines(tera("keys", "rotate", "--config", config, "--json"))
    assert {row["check"]: row["state"] for row in doctor(config)}["own keys"] == "ok"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("P-7",), "name the instruments"),
        (("P-7", ""), "name the instruments"),
        (("P-7", "timbangan-1", "--withdraw"), "withdrawn as a whole"),
        (("a/b", "timbangan-1"), "cannot be part of an MQTT topic"),
    ],
)
def test_an_order_that_cannot_be_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    config = write_config(tmp_path)
    assert main(["records", "order", *arguments, "--config", str(config)]) == 2
    [sentence] = capsys.readouterr().err.splitlines()
    assert said in sentence


@needs_mosquitto
async def test_the_office_places_an_order_and_withdraws_it(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    access = tmp_path / "access"
    access.write_text(
        "topic readwrite #\ntopic deny tera/v1/3516/trial/orders/+\n", encoding="utf-8"
    )
    access.chmod(0o600)
    with (tmp_path / "mosquitto.conf").open("a", encoding="utf-8") as settings:
        settings.write(f"acl_file {access}\n")
    office = tmp_path / "office"
    office.mkdir()
    config = write_config(office, broker=broker.port)
    place = ("records", "order", "P-7")

    async def told(*arguments: str | Path) -> tuple[int, bytes, bytes]:
        done = await asyncio.to_thread(tera, *arguments, "--config", config)
        return done.returncode, done.stdout, done.stderr

    assert "did not accept" in refused(*place, "timbangan-1", "--config", config, code=3)
    await broker.start()
    (tmp_path / "bench").mkdir()
    bench = write_station(tmp_path / "bench", scale_bench(1), broker=broker.port)
    try:
        code, out, err = await told(*place, "timbangan-1", "timbangan-2", "--owner", "Pasar 12")
        assert (code, out) == (0, b"order P-7 is placed: timbangan-1, timbangan-2\n"), err
        async with tera_at_work("run", "--config", bench) as service:  # comes after the order
            await line_with(service.stderr, "order P-7 names timbangan-2")
            await line_with(service.stderr, "order P-7: timbangan-1 is verified as number 1")
            assert await told(*place, "--withdraw") == (0, b"order P-7 is withdrawn\n", b"")
            outbox = await Outbox.open(bench.parent / "data" / "outbox.sqlite")
            try:
                async with asyncio.timeout(10):
                    while await outbox.orders():
                        await asyncio.sleep(0.05)
            finally:
                await outbox.close()
        code, _, err = await told(*place, "timbangan-1", "--trial")
        assert (code, b"does not let us publish" in err) == (3, True)
    finally:
        broker.kill()


async def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    path = tmp_path / "records.sqlite"
    await filled(path)
    with sqlite3.connect(path) as db:
        db.execute("DROP TRIGGER never_changed")
        db.execute("UPDATE stored SET digest = 'sha256:' || stored WHERE stored = 4")
    db.close()
    done = tera("records", "list", "--config", config, "--from", path)
    assert done.returncode == 1
    assert done.stdout.decode().count("DAMAGED") == 1
    shown = tera("records", "show", "4", "--config", config, "--from", path, "--json")
    assert shown.returncode == 1
    assert [json.loads(line)["whole"] for line in shown.stdout.splitlines()] == [True, False]


async def test_what_is_receipted_and_old_moves_on_request_and_is_listed_where_it_is(
    tmp_path: Path,
) -> None:
    config = write_config(tmp_path)
    (tmp_path / "data").mkdir()
    outbox = await Outbox.open(tmp_path / "data" / "outbox.sqlite")
    try:
        made = [await verify_once(outbox, "meja") for _ in range(2)]
        for row in (await outbox.pending(9))[:2]:
            of = {"bench": "meja", "id": row.id, "schema": f"tera/{row.kind}/1"}
            await outbox.stamp_receipt(receipt(of, row.digest, stored=row.seq + 40))
        archive = ("records", "archive", "--config", config, "--to", tmp_path / "arsip")
        nothing = tera(*archive, "--before", "2026-01-01")
        assert nothing.returncode == 0
        assert "nothing that is receipted is older" in nothing.stdout.decode()
        [moved] = lines(tera(*archive, "--before", "2999-01-01", "--json"))
        assert moved["records"] == 2
        listed = ("records", "list", "--config", config, "--json", "--from")
        assert [r["stored"] for r in lines(tera(*listed, moved["file"]))] == [41, 42]
        left = lines(tera(*listed, tmp_path / "data" / "outbox.sqlite"))
        assert [r["stored"] for r in left] == [None, None]
        assert (
            lines(tera(*listed, moved["file"], "--kind", "start", "--limit", "1"))[0]["number"] == 1
        )
        [_, ended] = lines(
            tera("records", "show", "42", "--config", config, "--json", "--from", moved["file"])
        )
        assert ended["digest"] == digest(made[0])
        assert "not a date" in refused(*archive, "--before", "never")
    finally:
        await outbox.close()


def test_keys_are_made_rotated_and_revoked(tmp_path: Path) -> None:
    config = write_config(tmp_path)

    def keys(action: str, *more: str) -> list[dict[str, Any]]:
        return lines(tera("keys", action, *more, "--config", config, "--json"))

    assert "no folder" in refused("keys", "show", "--config", config)
    assert "no folder" in refused("records", "serve", "--config", config)
    [first] = keys("make", "--days", "30")
    assert first["state"] == "signs"
    assert "key that signs today" in refused("keys", "make", "--config", config)
    states = {key["id"]: key["state"] for key in keys("rotate", "--lead", "7")}
    [second] = states.keys() - {first["id"]}
    assert states == {first["id"]: "signs", second: "waits"}
    assert second in refused("keys", "rotate", "--config", config)
    assert "not between" in refused("keys", "rotate", "--lead", "-1", "--config", config)
    revoked = tera("keys", "revoke", first["id"], "--config", config)
    assert "No key signs now" in revoked.stderr.decode()
    assert "revoked = " in revoked.stdout.decode()
    assert "valid today" in refused("records", "serve", "--config", config)
    urgent = tera("keys", "rotate", "--config", config)  # the one that waits signs in a week only
    assert "at every station now" in urgent.stderr.decode()
    states = {key["id"]: key["state"] for key in keys("show")}
    assert sorted(states.values()) == ["revoked", "signs", "waits"]
    assert "no key k-0" in refused("keys", "revoke", "k-0", "--config", config)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622])
def test_a_key_that_others_can_read_is_refused_at_every_start(tmp_path: Path, mode: int) -> None:
    config = write_config(tmp_path)
    [made] = lines(tera("keys", "make", "--config", config, "--json"))
    pem = tmp_path / "data" / "keys" / f"{made['id']}.pem"
    secret = pem.read_text("ascii").splitlines()[1]
    pem.chmod(mode)
    for command in (("records", "serve"), ("keys", "show"), ("keys", "rotate")):
        sentence = refused(*command, "--config", config)
        assert f"{pem} can be read or written by others (mode {mode:04o}): chmod 600" in sentence
        assert secret not in sentence


@needs_mosquitto
async def test_no_secret_is_seen_from_outside(tmp_path: Path, postgres: Postgres) -> None:
    """Not in the configuration, the list of processes, the environment, logs, or what is printed."""
    broker = Mosquitto(tmp_path)
    await broker.start()
    url = postgres.by_password(postgres.database())
    for name in ("database", "broker"):
        (tmp_path / name).write_text(f"{PASSWORD}\n")
        (tmp_path / name).chmod(0o600)
    more = (
        f'username = "records"\npassword_file = "{tmp_path / "broker"}"\n'
        f'[store]\nrecords = "{url}"\nrecords_password_file = "database"\n'
    )
    config = write_config(tmp_path, more, broker=broker.port)
    [key] = lines(tera("keys", "make", "--config", config, "--json"))
    pem = (tmp_path / "data" / "keys" / f"{key['id']}.pem").read_text("ascii").splitlines()[1]
    seen = [json.dumps(key).encode(), config.read_bytes()]
    try:
        async with tera_at_work("records", "serve", "--config", config) as serving:
            seen.append((await line_with(serving.stderr, "records system of office")).encode())
            process = Path(f"/proc/{serving.pid}")
            seen += [(process / name).read_bytes() for name in ("cmdline", "environ")]
            serving.send_signal(signal.SIGTERM)
            out, err = await serving.communicate()
            seen += [out, err]
            assert serving.returncode == 0, err.decode()
    finally:
        broker.kill()
    done = tera("records", "list", "--config", config, "--json")
    assert done.returncode == 0, done.stderr.decode()
    seen += [done.stdout, done.stderr]
    for secret in (PASSWORD, pem):
        assert not [text for text in seen if secret.encode() in text]
    (tmp_path / "database").chmod(0o644)
    sentence = refused("records", "serve", "--config", config)
    assert "store.records_password_file" in sentence
    assert "chmod 600" in sentence
    inside = url.replace("tera@", f"tera:{PASSWORD.replace(' ', '+')}@")
    config.write_text(config.read_text("utf-8").replace(url, inside), "utf-8")
    assert "records_password_file" in refused("records", "list", "--config", config)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('[store]\nrecords = "mysql://x/y"\n', "store.records: this is a file, or a database"),
        ('[records]\nkey = "x"\n', "records.key: this key is not known"),
        ('[records]\nmetrics = "9465"\n', "records.metrics: 9465 is no address and port"),
        ('[metrics]\nlisten = "127.0.0.1:9465"\n', "metrics: this key is not known"),
        ('[[records.trusted]]\nid = "k-1"\n', "records.trusted[0].public: this key is missing"),
        (
            '[[records.trusted]]\nid = "k-1"\npublic = "AAAA"\nfrom = 2026-01-01\nuntil = 2027-01-01\n',
            "records.trusted[0].public: a public key is 32 bytes",
        ),
        (
            f'[[records.trusted]]\nid = "k-1"\npublic = "{"A" * 43}="\nfrom = 2026-01-01\nuntil = 2027-01-01\n',
            "records.trusted[0].public: the id of this public key is k-",
        ),
    ],
)
def test_what_is_wrong_in_the_configuration_is_named(tmp_path: Path, more: str, said: str) -> None:
    assert said in refused("records", "list", "--config", write_config(tmp_path, more))


@needs_mosquitto
async def test_a_database_that_goes_away_is_waited_for(tmp_path: Path) -> None:
    from tests.postgres import MISSING as NO_POSTGRES
    from tests.postgres import PROGRAMS

    if PROGRAMS is None:
        pytest.skip(NO_POSTGRES)
    broker, server = Mosquitto(tmp_path), Postgres()
    await broker.start()
    try:
        server.start()
        config = write_config(
            tmp_path, f'[store]\nrecords = "{server.database()}"\n', broker=broker.port
        )
        [key] = lines(tera("keys", "make", "--config", config, "--json"))
        station = tmp_path / "station"
        station.mkdir()
        trusted = "\n".join(
            f"{name} = {key[name]}" if name in ("from", "until") else f'{name} = "{key[name]}"'
            for name in ("id", "public", "from", "until")
        )
        bench = write_config(
            station,
            '[[standards]]\nid = "W-07"\nkind = "weights"\ncertificate = "K-1"\ndue = 2099-12-31\n'
            f'mpe = "0.75 g"\n[[records.trusted]]\n{trusted}\n' + scale_bench(1),
            broker=broker.port,
        )
        often = {"WATCHDOG_USEC": "3000000"}  # as the manager wants it: a look each second
        serve = ("records", "serve", "--config", config)
        async with tera_at_work(*serve, environment=often) as serving:
            await line_with(serving.stderr, "records system of office 3516")
            server.kill()
            await line_with(serving.stderr, "the store cannot be written: the database")
            async with tera_at_work("run", "--config", bench) as service:
                await line_with(service.stderr, "the station runs")
                await publish_order(broker, order("P-1", "timbangan-1"))
                await line_with(serving.stderr, "not stored, no receipt given", within=60)
                await asyncio.to_thread(server.start)
                await line_with(serving.stderr, "the store can be written again", within=60)
                await line_with(service.stderr, "timbangan-1 is conforming", within=60)
                listing = ("records", "list", "--config", config, "--json")
                async with asyncio.timeout(60):
                    while len(lines(await asyncio.to_thread(tera, *listing))) < 2:
                        await asyncio.sleep(0.1)
                service.send_signal(signal.SIGTERM)
                await line_with(service.stderr, "stopped; 0 records wait")
            serving.send_signal(signal.SIGTERM)
            assert await serving.wait() == 0
    finally:
        broker.kill()
        server.remove()
