"""What nobody may do: each attempt fails, is written down, and the next verdict comes all the same.

One office for all of them: Mosquitto with the files of `tera broker`, a station of `tera run`, a
records system of `tera records serve`. Whoever attacks has what is said of him: nothing, a certificate
that does not count, or a good one of somebody else.
"""

import asyncio
import signal
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from broker.address import BrokerAddress, Topics
from broker.connection import Connector, Will
from broker.failure import BrokerAway, NotPermitted
from broker.outbox import Outbox
from broker.publisher import Publisher
from broker.record import LIMIT, decode, encode
from broker.seal import SigningKey, sign
from tests.mosquitto import MISSING, PROGRAM
from tests.records import SOFTWARE, TIME, TRUST, receipt, start, until, verdict, verify_once
from tests.secured import BENCH, DASHBOARD, NEIGHBOUR, OFFICE, Office
from tests.stations import order

pytestmark = pytest.mark.skipif(PROGRAM is None, reason=MISSING)

LEGAL, TRIAL = Topics(OFFICE), Topics(OFFICE, trial=True)
STATE, RECEIPTS = TRIAL.state(BENCH), TRIAL.receipts(BENCH)
VERDICT, START = LEGAL.verdict("x"), LEGAL.start("x")
ORDER = LEGAL.order("P-0")

Attempt = Callable[[Office], Awaitable[None]]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    made = Office(tmp_path_factory.mktemp("office"))
    made.make()
    try:
        asyncio.run(made.start())
        yield made
    finally:
        made.end()


# ---- who may not even come in


def _shut_out(shown: str, said: str, logged: str) -> Attempt:
    async def attempt(office: Office) -> None:
        marks = office.marks()
        with pytest.raises(BrokerAway, match=said):
            async with office.connected(shown):
                pass
        await office.said(office.broker.log, logged, after=marks[office.broker.log])

    return attempt


async def _plain_tcp(office: Office) -> None:
    marks = office.marks()
    with pytest.raises(BrokerAway, match="perhaps it wants TLS"):
        async with Connector(office.broker.address()).connect("penyerang"):
            pass
    await office.said(office.broker.log, "wrong version number", after=marks[office.broker.log])


async def _noise(office: Office) -> None:
    marks = office.marks()
    reader, writer = await asyncio.open_connection("127.0.0.1", office.broker.port)
    writer.write(bytes(range(256)) * 64)
    async with asyncio.timeout(10):
        with suppress(ConnectionResetError):
            await reader.read()
    writer.close()
    # Mosquitto has two sentences for it: one when the bytes are there as it accepts, one for later.
    await office.said(office.broker.log, "SSL routines", after=marks[office.broker.log])


OUT = {
    "a certificate of another authority": _shut_out(
        "of another authority", "does not know the authority|does not take", "certificate verify"
    ),
    "a self-signed certificate": _shut_out(
        "self-signed", "does not know the authority|does not take", "certificate verify"
    ),
    "an expired certificate": _shut_out("expired", "has ended", "certificate verify"),
    "a certificate that does not count yet": _shut_out(
        "not yet valid", "does not take", "certificate verify"
    ),
    "a revoked certificate": _shut_out("revoked", "was revoked", "certificate verify"),
    "the broker's own certificate as a bench": _shut_out(
        "of the broker", "does not take", "certificate verify"
    ),
    "no certificate": _shut_out("nothing", "wants a certificate", "did not return a certificate"),
    "plain MQTT on the port of TLS": _plain_tcp,
    "noise on the port of TLS": _noise,
}


# ---- who is in and publishes what is not his


def _denied(name: str, topic: str, body: bytes = b"{}", *, retain: bool = False) -> Attempt:
    async def attempt(office: Office) -> None:
        marks, denied = office.marks(), asyncio.Event()

        def note(where: str, error: NotPermitted) -> None:
            assert where == topic
            denied.set()

        async with office.connected(name, refused=note) as client, asyncio.timeout(10):
            await client.publish(topic, body, qos=1, retain=retain)
            await denied.wait()
        await office.said(
            office.broker.log, "Denied PUBLISH", topic, after=marks[office.broker.log]
        )

    return attempt


async def _will(office: Office) -> None:
    """A last will that says a foreign bench is offline, let loose by a broken line."""
    marks, topic = office.marks(), STATE
    async with office.connected(DASHBOARD) as watching:
        await watching.subscribe(topic, qos=1)
        async with asyncio.timeout(10):
            await anext(watching.messages)  # what is retained
        will = Will(topic, b'{"poison":1}', 1, True)
        async with office.connected(NEIGHBOUR, will=will) as client:
            client._client._sock_close()
        after = marks[office.broker.log]
        await office.said(office.broker.log, "penyerang-meja-9", "closed its conn", after=after)
        await office.next_verdict()
        assert not [m for m in watching.arrived(99) if b"poison" in bytes(m.payload)]


def _in_vain(name: str, pattern: str, allowed: tuple[str, ...] = ()) -> Attempt:
    """Subscribe, and hear nothing of the next verdict but what everybody of the kind may hear."""

    async def attempt(office: Office) -> None:
        marks = office.marks()
        async with office.connected(name) as client:
            await client.subscribe(pattern, qos=1)
            await office.next_verdict()
            heard = {str(message.topic) for message in client.arrived(9999)}
        assert {topic for topic in heard if not topic.startswith(allowed or "-")} == set()
        await office.said(
            office.broker.log, f"penyerang-{name}", pattern, after=marks[office.broker.log]
        )

    return attempt


STATES = tuple(f"{topics.root}/{what}/" for topics in (LEGAL, TRIAL) for what in ("live", "state"))
ORDERS = (f"{LEGAL.root}/orders/", f"{TRIAL.root}/orders/")
OWN = (TRIAL.receipts(NEIGHBOUR), LEGAL.state(NEIGHBOUR), TRIAL.state(NEIGHBOUR))

NOT_HIS = {
    "a bench: live indications of another": _denied(NEIGHBOUR, TRIAL.live(BENCH, "timbangan-1")),
    "a bench: state of another, retained": _denied(NEIGHBOUR, STATE, retain=True),
    "a bench: receipts for another": _denied(NEIGHBOUR, RECEIPTS),
    "a bench: receipts for itself": _denied(NEIGHBOUR, LEGAL.receipts(NEIGHBOUR)),
    "a bench: an order": _denied(NEIGHBOUR, ORDER, retain=True),
    "a bench: withdraw an order": _denied(NEIGHBOUR, ORDER, b"", retain=True),
    "a bench: a last will for another": _will,
    "a trial bench: a legal verdict": _denied(BENCH, VERDICT),
    "a trial bench: a legal start": _denied(BENCH, START),
    "records: a verdict": _denied("records", VERDICT),
    "records: a start": _denied("records", START),
    "records: state of a bench": _denied("records", STATE, retain=True),
    "a dashboard: a verdict": _denied(DASHBOARD, VERDICT),
    "a dashboard: an order": _denied(DASHBOARD, ORDER, retain=True),
    "a dashboard: a receipt": _denied(DASHBOARD, RECEIPTS),
    "a dashboard: live indications": _denied(DASHBOARD, TRIAL.live(BENCH, "timbangan-1")),
    "records of another office: receipts": _denied("records@9999", RECEIPTS),
    "a name that is in no file: a verdict": _denied("penyusup@3516", VERDICT),
    "the system's own topics": _denied(NEIGHBOUR, "$SYS/broker/clients/total"),
    "a bench: hear everything": _in_vain(NEIGHBOUR, "#", ORDERS + OWN),
    "a bench: hear others' receipts": _in_vain(NEIGHBOUR, "tera/v1/+/trial/receipts/+", OWN),
    "a bench: hear others' verdicts, shared": _in_vain(
        NEIGHBOUR, "$share/x/tera/v1/3516/trial/verdicts/+"
    ),
    "a dashboard: hear everything": _in_vain(DASHBOARD, "#", STATES),
    "a dashboard: hear how the broker is": _in_vain(DASHBOARD, "$SYS/#"),
    "a name that is in no file: hear everything": _in_vain("penyusup@3516", "#"),
}


# ---- whoever has stolen the records system's certificate, but not its key

Forger = Callable[[dict[str, object], str, Office], bytes]


@asynccontextmanager
async def _records_away(office: Office) -> AsyncIterator[tuple[dict[str, object], str]]:
    """Stop the records system while a verdict of the station waits; give that and its digest."""
    office.records.process.send_signal(signal.SIGSTOP)
    try:
        await office.order()
        await until(lambda: any(kind == "verdict" for kind, *_ in office.rows()))
        [found] = [row for row in office.rows() if row[0] == "verdict"]
        yield decode(found[3]), found[2]
    finally:
        office.records.process.send_signal(signal.SIGCONT)


def _forged(forge: Forger, said: str, *, retain: bool = False) -> Attempt:
    async def attempt(office: Office) -> None:
        marks, before = office.marks(), office.stored()
        async with (
            _records_away(office) as (record, own),
            office.connected("records") as client,
        ):
            await client.publish(RECEIPTS, forge(record, own, office), qos=1, retain=retain)
            await office.said(
                office.station.log, "refused on", said, after=marks[office.station.log]
            )
            assert record["id"] in {row[1] for row in office.rows()}
        await office.delivered(before + 1)
        if retain:
            async with office.connected("records") as client:
                await client.publish(RECEIPTS, b"", qos=1, retain=True)

    return attempt


def _unsigned(record: dict[str, object], own: str, office: Office) -> bytes:
    good = receipt(record, own)
    return encode({name: value for name, value in good.items() if name not in ("key", "signature")})


def _heard(office: Office) -> dict[str, object]:
    """Return a real receipt, as the station has kept it."""
    file = office.folder / "station" / "data" / "outbox.sqlite"
    return decode(bytes(office._ask(file, "SELECT body FROM receipt ORDER BY receipt")[-1][0]))


def _altered(record: dict[str, object], own: str, office: Office) -> bytes:
    real = _heard(office)
    if "records" in real:
        entries = real["records"]
        assert isinstance(entries, list)
        entries[0] = {**entries[0], "id": record["id"], "digest": own}
        return encode(real)
    return encode({**real, "id": record["id"], "digest": own, "kind": "verdict"})


async def _replayed(office: Office) -> None:
    """A real receipt once more, by one who heard it: it counts for what it counted for already."""
    before = office.stored()
    async with _records_away(office) as (record, _), office.connected("records") as client:
        for _ in range(3):
            await client.publish(RECEIPTS, encode(_heard(office)), qos=1)
        await client.publish(RECEIPTS, b"after them", qos=1)
        marks = office.marks()
        await client.publish(RECEIPTS, b"after them, again", qos=1)
        await office.said(
            office.broker.log, "PUBLISH from penyerang-records", after=marks[office.broker.log]
        )
        assert record["id"] in {row[1] for row in office.rows()}
    await office.delivered(before + 1)


_QUESTION = {
    "schema": "tera/missing/1",
    "office": OFFICE,
    "bench": BENCH,
    "numbers": [[1, 10**9]],
    "asked": TIME,
}
RECEIPTED = {
    "an unsigned receipt": _forged(_unsigned, "it has no signature"),
    "a receipt by a foreign key": _forged(
        lambda record, own, _: encode(receipt(record, own, key=SigningKey.generate())),
        "which is not trusted here",
    ),
    "an altered receipt": _forged(_altered, "does not fit"),
    "a replayed receipt": _replayed,
    "a receipt for another bench": _forged(
        lambda record, own, _: encode(receipt({**record, "bench": NEIGHBOUR}, own)),
        "a receipt for another bench",
    ),
    "a question for numbers by a foreign key": _forged(
        lambda *_: encode(sign(_QUESTION, SigningKey.generate())), "which is not trusted here"
    ),
    "a receipt that is no JSON, retained": _forged(
        lambda *_: b"\xff\x00{" * 99, "this is not JSON", retain=True
    ),
}


def _bad_order(topic: str, body: bytes, said: str) -> Attempt:
    async def attempt(office: Office) -> None:
        marks = office.marks()
        async with office.connected("records") as client:
            await client.publish(topic, body, qos=1, retain=True)
            await office.said(
                office.station.log, "refused on", said, after=marks[office.station.log]
            )
            await client.publish(topic, b"", qos=1, retain=True)

    return attempt


def _too_large(name: str, topic: str) -> Attempt:
    async def attempt(office: Office) -> None:
        marks = office.marks()
        async with office.connected(name) as client:
            sending = asyncio.create_task(client.publish(topic, b" " * (LIMIT + 1), qos=1))
            await office.said(
                office.broker.log, "too large PUBLISH", topic, after=marks[office.broker.log]
            )
            sending.cancel()

    return attempt


def _poisoned(name: str, topic: str, body: bytes, program: str, said: str) -> Attempt:
    """Leave something that whoever connects later is given too, and have all connect anew."""

    async def attempt(office: Office) -> None:
        marks, log = office.marks(), getattr(office, program).log
        async with office.connected(name) as client:
            await client.publish(topic, body, qos=1, retain=True)
        if said:
            await office.said(log, said, after=marks[log])
        marks = office.marks()
        office.broker.stop()
        await office.broker.start()
        await office.said(office.station.log, "connected, MQTT", after=marks[office.station.log])
        await office.next_verdict()
        async with office.connected(name) as client:
            await client.publish(topic, b"", qos=1, retain=True)

    return attempt


PAYLOADS = {
    "an order that is no JSON": _bad_order(ORDER, b"{" * 5000, "this is not JSON"),
    "an order on the topic of another": _bad_order(
        ORDER, encode(order("P-1", "timbangan-1")), "came on the topic of another one"
    ),
    "an order that is nested a hundred thousand deep": _bad_order(
        ORDER, b'{"a":' * 100_000, "this is not JSON"
    ),
    "an order that is too large": _too_large("records", ORDER),
    "a receipt that is too large": _too_large("records", RECEIPTS),
    "a verdict that is too large": _too_large(NEIGHBOUR, VERDICT),
    "poison that stays on the orders": _poisoned(
        "records", ORDER, b"poison", "station", "refused on"
    ),
    "poison that stays on the verdicts": _poisoned(
        NEIGHBOUR, LEGAL.verdict("poison"), b"poison", "records", "verdicts/poison"
    ),
    "poison that stays on the state of its own bench": _poisoned(
        BENCH, STATE, b"poison", "station", ""
    ),
}


# ---- what the broker cannot know: the records system finds it


def _recorded(make: Callable[[Office], tuple[str, bytes]], said: str) -> Attempt:
    async def attempt(office: Office) -> None:
        marks = office.marks()
        topic, body = make(office)
        async with office.connected(NEIGHBOUR) as client:
            await client.publish(topic, body, qos=1)
            await office.said(office.records.log, said, after=marks[office.records.log])

    return attempt


def _last_verdict(office: Office) -> dict[str, object]:
    file = office.folder / "records" / "records.sqlite"
    asked = "SELECT body FROM stored WHERE kind = 'verdict' AND bench = ? ORDER BY stored"
    return decode(bytes(office._ask(file, asked, BENCH)[-1][0]))


def _changed(office: Office) -> tuple[str, bytes]:
    known = _last_verdict(office)
    changed = {**known, "verdict": "nonconforming"}
    return TRIAL.verdict(str(known["id"])), encode(changed)


def _second(office: Office) -> tuple[str, bytes]:
    known = _last_verdict(office)
    begun = {**start(BENCH, trial=True), "number": known["number"]}
    return TRIAL.start(begun["id"]), encode(begun)


async def _ahead(office: Office) -> None:
    """A number that the bench will use in years: the real one is asked, and has no such thing."""
    marks, body = office.marks(), {**start(BENCH, trial=True), "number": 10_000}
    async with office.connected(NEIGHBOUR) as client:
        await client.publish(TRIAL.start(str(body["id"])), encode(body), qos=1)
        for log, said in (
            (office.records.log, "asked again for the numbers"),
            (office.station.log, "9999)], which is not here"),
        ):
            await office.said(log, said, after=marks[log])


def _elsewhere(office: Office) -> tuple[str, bytes]:
    begun = start(NEIGHBOUR, office="9999")
    return LEGAL.verdict(begun["id"]), encode(verdict(begun, 1))


def _as_legal(office: Office) -> tuple[str, bytes]:
    begun = start(NEIGHBOUR, trial=True)
    return LEGAL.verdict(begun["id"]), encode(verdict(begun, 1))


RECORDED = {
    "a stored verdict, altered": _recorded(_changed, "contradicts what is stored"),
    "a number of another bench": _recorded(_second, "two verifications claim the number"),
    "a number of another bench that is far ahead": _ahead,
    "a verdict of another office": _recorded(_elsewhere, "of office 9999 does not belong"),
    "a trial where legal verdicts travel": _recorded(_as_legal, "does not belong on this topic"),
    "a verdict that is no verdict": _recorded(
        lambda _: (VERDICT, b'{"schema":"tera/verdict/1"}'), "verdict record"
    ),
}


# ---- in somebody else's name


def _identifier(office: Office) -> str:
    """Return the station's client identifier at the broker, as somebody knows it who reads its log."""
    lines = office.broker.log.read_text("utf-8", "replace").splitlines()
    line = [line for line in lines if f" as tera-{BENCH}-" in line][-1]
    return line.partition(" as ")[2].split(" ")[0]


async def _pushed_out(office: Office) -> None:
    """Connect under the station's client identifier, again and again: it takes another one."""
    used = [_identifier(office)]
    for _ in range(2):
        marks = office.marks()
        async with office.connected(NEIGHBOUR, used[-1]):
            after = marks[office.station.log]
            await office.said(office.station.log, "connected, MQTT", after=after)
        used.append(_identifier(office))
    assert used[2] != used[0]
    pushed = f"Client {used[0]} already connected"
    await office.said(office.broker.log, pushed, after=0)


async def _records_pushed_out(office: Office) -> None:
    """The same to the records system, which keeps its identifier and wins it back."""
    marks, name = office.marks(), f"tera-records-{OFFICE}"
    async with office.connected(NEIGHBOUR, name, keep_session=True) as client:
        after = marks[office.broker.log]
        await office.said(office.broker.log, f" as {name} ", "records@3516", after=after)
        await office.said(office.broker.log, f"Client {name} already connected", after=after)
        await office.next_verdict()
        assert client.arrived(99) == []


async def _by_password(office: Office) -> None:
    """A good certificate and the user name of somebody else: the certificate counts."""
    marks = office.marks()
    address = BrokerAddress(
        "127.0.0.1", office.broker.port, username="records@3516", tls=office.tls(NEIGHBOUR)
    )
    async with Connector(address).connect("penyerang") as client:
        await client.publish(RECEIPTS, b"{}", qos=1)
    await office.said(office.broker.log, "Denied PUBLISH", RECEIPTS, after=marks[office.broker.log])


IN_ITS_NAME = {
    "the client identifier of a bench": _pushed_out,
    "the client identifier of the records system": _records_pushed_out,
    "the user name of the records system": _by_password,
}


# ---- somebody else in the broker's place


def _impostor(certificate: Callable[[Office], tuple[Path, Path] | None], said: str) -> Attempt:
    async def attempt(office: Office) -> None:
        marks, asked = office.marks(), asyncio.Event()
        shown = certificate(office)
        context = None
        if shown is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*shown)

        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if await reader.read(1) == b"\x10":  # CONNECT: a station would have spoken
                asked.set()
            writer.close()

        office.broker.stop()
        server = await asyncio.start_server(listen, "127.0.0.1", office.broker.port, ssl=context)
        async with server:
            for program in (office.station, office.records):
                await office.said(program.log, said, after=marks[program.log])
        assert not asked.is_set()
        marks = office.marks()
        await office.broker.start()
        await office.said(office.station.log, "connected, MQTT", after=marks[office.station.log])

    return attempt


def _files(folder: str, name: str) -> Callable[[Office], tuple[Path, Path]]:
    return lambda office: (
        office.folder / folder / f"{name}.crt",
        office.folder / folder / f"{name}.key",
    )


IN_ITS_PLACE = {
    "a broker of another authority": _impostor(
        _files("stranger", "broker"), "does not vouch for: somebody else answers there"
    ),
    "a broker of another name": _impostor(_files("wrong host", "broker"), "is for another name"),
    "a bench as the broker": _impostor(
        _files("authority", f"{NEIGHBOUR}@{OFFICE}"), "that is not for a broker"
    ),
    "a broker without TLS": _impostor(lambda _: None, "does not speak TLS on this port"),
}


ATTEMPTS = OUT | NOT_HIS | RECEIPTED | PAYLOADS | RECORDED | IN_ITS_NAME | IN_ITS_PLACE


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS.keys())
async def test_what_is_forbidden_fails_is_logged_and_stops_nobody(
    office: Office, attempt: Attempt
) -> None:
    before = office.stored()
    await attempt(office)
    for program in (office.station, office.records):
        assert program.process.poll() is None
    if office.stored() == before:  # some deliver it themselves, while or after they attack
        await office.next_verdict()


def test_there_are_enough_of_them() -> None:
    assert len(ATTEMPTS) >= 30


def _denied_lines(office: Office) -> int:
    lines = office.broker.log.read_text("utf-8", "replace").splitlines()
    return len([line for line in lines if "Denied PUBLISH" in line and "state/meja-7" in line])


async def test_a_bench_that_the_access_file_forgot_says_so_and_keeps_its_verdict(
    office: Office, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = await Outbox.open(tmp_path / "outbox.sqlite")
    address = replace(office.broker.address(), tls=office.tls("penyusup@3516"))
    try:
        await verify_once(outbox, "meja-7")
        publisher = Publisher(outbox, address, OFFICE, {"meja-7": False}, SOFTWARE, TRUST)
        task = asyncio.create_task(publisher.run())
        await until(lambda: "not published on" in caplog.text and _denied_lines(office) >= 4)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert caplog.text.count(f"not published on {LEGAL.state('meja-7')}") == 1
        assert caplog.text.count("look at its access file") == 1
        assert caplog.text.count("verdicts wait on disk") <= 3  # though Mosquitto ends each line
        assert (await outbox.counts()).waiting == 2
    finally:
        await outbox.close()


def test_no_secret_is_seen_from_outside(office: Office) -> None:
    """Not in configurations, logs, databases, the generated files, or the lists of processes."""
    keys = [*office.folder.rglob("*.key"), *office.folder.rglob("k-*.pem")]
    secrets = {line for key in keys for line in key.read_bytes().splitlines() if b"---" not in line}
    assert len(secrets) > 20
    seen = [file for file in office.folder.rglob("*") if file.is_file() and file not in keys]
    assert {file.suffix for file in seen} >= {".toml", ".log", ".sqlite", ".acl", ".conf"}
    for program in (office.station, office.records):
        seen += [Path(f"/proc/{program.process.pid}/{what}") for what in ("cmdline", "environ")]
    for file in seen:
        found = file.read_bytes()
        assert not [secret for secret in secrets if secret in found], file
