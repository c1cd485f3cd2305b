"""Numbers that were given before are not given again, whoever remembers them."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from broker.bench_states import BenchStates
from broker.failure import BadRecord, OlderOutbox
from broker.numbering import Numbers
from broker.outbox import Outbox
from broker.publisher import Publisher
from broker.record import decode, encode
from broker.seal import Trust, sign
from broker.stored import Delivered, Missing, missing_in
from tests.mosquitto import MISSING, PROGRAM, PUBLISH, SUBSCRIBE, Mosquitto
from tests.records import KEY, SOFTWARE, TIME, TRUST, receipt, start, until, verify_once
from tests.test_commands import listening

STATE = "tera/v1/3516/state/meja"
RECEIPTS = "tera/v1/3516/receipts/meja"


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    opened = await Outbox.open(tmp_path / "outbox.sqlite")
    yield opened
    await opened.close()


async def number_of_next(outbox: Outbox, bench: str = "meja") -> int:
    begun = start(bench)
    return await outbox.begin(bench, begun["id"], begun)


async def test_no_number_is_given_below_one_that_is_known_elsewhere_until_a_person_says_so(
    outbox: Outbox,
) -> None:
    await verify_once(outbox, "meja")
    assert await outbox.note_given("meja", 1, stored=True) is None
    older = await outbox.note_given("meja", 5, stored=False)
    assert older is not None
    assert older.evidence == {"bench": "meja", "number": 5, "last": 1, "next": 6}
    with pytest.raises(OlderOutbox, match="up to 5 were given before, and this outbox ends at 1"):
        await number_of_next(outbox)
    assert await number_of_next(outbox, "lain") == 1
    assert str(await outbox.note_given("meja", 3, stored=True)) == str(older)
    assert [str(held) for held in await outbox.held_up_benches()] == [str(older)]
    assert await outbox.numbers("meja") == Numbers(5, Delivered(0, 0))
    assert await outbox.go_on() == [("meja", 6)]
    assert await outbox.go_on() == []
    assert await outbox.held_up_benches() == []
    assert await outbox.note_given("meja", 5, stored=True) is None
    assert await outbox.note_given("meja", 7, stored=True) is not None  # more than was accepted
    with pytest.raises(OlderOutbox, match="up to 7"):
        await number_of_next(outbox)
    await outbox.go_on()
    assert [await number_of_next(outbox) for _ in range(2)] == [8, 9]


async def test_a_copy_for_a_backup_gives_no_number_before_the_records_system_has_said_its_own(
    outbox: Outbox,
) -> None:
    await verify_once(outbox, "meja")
    await outbox.note_copied()
    await outbox.note_copied()
    assert await outbox.note_given("meja", 1, stored=False) is not None  # the broker's word is old
    with pytest.raises(OlderOutbox, match=r"from a backup of .* and ends at 1"):
        await number_of_next(outbox)
    assert await outbox.note_given("meja", 1, stored=True) is None
    assert await number_of_next(outbox) == 2
    await outbox.note_copied()
    assert await outbox.go_on() == [("meja", 3)]
    assert await number_of_next(outbox) == 3


async def test_a_bench_says_what_it_gave_and_what_it_has_receipts_for(outbox: Outbox) -> None:
    assert await outbox.numbers("meja") == Numbers()
    await verify_once(outbox, "meja")
    await verify_once(outbox, "meja")
    for row, said in zip(
        await outbox.pending(9),
        [Delivered(1, 0), Delivered(1, 1), Delivered(2, 1), Delivered(2, 2)],
        strict=True,
    ):
        of = {"bench": "meja", "id": row.id, "schema": f"tera/{row.kind}/1"}
        await outbox.stamp_receipt(receipt(of, row.digest, stored=row.seq))
        assert await outbox.numbers("meja") == Numbers(2, said)
    assert await number_of_next(outbox) == 3
    assert await outbox.numbers("meja") == Numbers(3, Delivered(2, 2))


@pytest.mark.parametrize(
    ("seen", "delivered", "missing"),
    [
        ([], (3, 3), ((1, 3),)),
        ([(1, "start"), (1, "verdict")], (1, 1), ()),
        ([(1, "start"), (1, "verdict")], (2, 1), ((2, 2),)),
        ([(1, "start")], (1, 0), ()),  # a run in progress
        ([(1, "start")], (1, 1), ((1, 1),)),
        ([(1, "start")], (2, 1), ((1, 2),)),
        ([(1, "start"), (3, "start"), (3, "verdict")], (5, 4), ((1, 2), (4, 5))),
        ([(4, "start"), (4, "verdict")], (2, 2), ((1, 3),)),  # the store knows more
    ],
)
def test_a_store_lacks_what_the_bench_has_receipts_for(
    seen: list[tuple[int, str]],
    delivered: tuple[int, int],
    missing: tuple[tuple[int, int], ...],
) -> None:
    found = missing_in(seen, 0, 100, Delivered(*delivered))
    assert found.stretches == missing
    if missing:
        assert found.complete == missing[0][0] - 1
    assert missing_in([], 3, 100, Delivered(3, 3)) == Missing(3, 3, ())


def test_only_the_state_of_the_bench_whose_topic_it_came_on_is_heard() -> None:
    states = BenchStates("3516")
    state: dict[str, Any] = {
        "schema": "tera/state/1",
        "office": "3516",
        "bench": "meja",
        "state": "online",
        "connected": TIME,
        "faults": [],
        "software": SOFTWARE,
    }
    assert states.is_one(STATE)
    assert states.is_one("tera/v1/3516/trial/state/meja")
    assert not states.is_one("tera/v1/3516/starts/state")
    said = states.read(STATE, encode(state))
    assert (said.bench, said.trial, said.came) == ("meja", False, False)  # it does not listen yet
    assert (said.delivered, said.given) == (Delivered(), 0)
    state["numbers"] = {"given": 3, "started": 2, "ended": 1}
    said = states.read(STATE, encode(state))
    assert (said.delivered, said.given, said.came) == (Delivered(2, 1), 3, True)
    assert not states.read(STATE, encode(state)).came
    assert states.read(STATE, encode({**state, "connected": "2026-11-24T09:00:00.000Z"})).came
    states.forget()
    assert states.read(STATE, encode(state)).came
    for other in ({"bench": "lain"}, {"office": "1"}, {"numbers": {"given": -1}}, {"schema": "x"}):
        with pytest.raises(BadRecord):
            states.read(STATE, encode({**state, **other}))


async def told(broker: Mosquitto, topic: str, message: Mapping[str, Any], *more: str) -> None:
    """Publish a message from outside."""
    peer = await asyncio.create_subprocess_exec(
        *(str(PUBLISH), "-h", "127.0.0.1", "-p", str(broker.port), "-q", "1", *more),
        *("-t", topic, "-m", encode(message).decode()),
    )
    assert await peer.wait() == 0


@asynccontextmanager
async def speaking(file: Path, broker: Mosquitto, trust: Trust) -> AsyncIterator[Publisher]:
    """Run the publisher of a station with one bench until it says that it is offline."""
    outbox = await Outbox.open(file)
    publisher = Publisher(
        outbox, broker.address(), "3516", {"meja": False}, SOFTWARE, trust, station="s-" + "1" * 16
    )
    task = asyncio.create_task(publisher.run())
    try:
        async with asyncio.timeout(20):
            await publisher.connected.wait()
        yield publisher
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await outbox.close()


@pytest.mark.skipif(None in (PROGRAM, PUBLISH, SUBSCRIBE), reason=MISSING)
async def test_the_broker_remembers_what_a_bench_gave_and_did_not_deliver(tmp_path: Path) -> None:
    """The records system is away, and an outbox of before is put back: only the broker can know."""
    broker = Mosquitto(tmp_path)
    await broker.start()
    file = tmp_path / "now" / "outbox.sqlite"
    file.parent.mkdir()
    try:
        async with speaking(file, broker, Trust()) as publisher:
            await verify_once(publisher.outbox, "meja")
        shutil.copytree(file.parent, tmp_path / "before")
        async with listening(broker, STATE) as states, speaking(file, broker, Trust()) as publisher:
            await verify_once(publisher.outbox, "meja")
            said = [decode(await states.readline())]
            while said[-1].get("numbers", {}).get("given") != 2:
                said.append(decode(await states.readline()))
            _, claimed, *_, last = said
            assert "numbers" not in claimed  # receipts are not subscribed to yet
            numbers = last["numbers"]
            assert numbers == {"given": 2, "started": 0, "ended": 0}
        shutil.rmtree(file.parent)
        shutil.copytree(tmp_path / "before", file.parent)
        for _ in range(2):  # it is remembered in the outbox from then on
            async with speaking(file, broker, Trust()) as publisher:
                await publisher.compare_numbers("meja")
                with pytest.raises(OlderOutbox, match="up to 2 were given before"):
                    await number_of_next(publisher.outbox)
    finally:
        broker.kill()


@pytest.mark.skipif(None in (PROGRAM, PUBLISH), reason=MISSING)
async def test_numbers_that_cannot_have_been_given_are_refused_and_hold_nothing_up(
    tmp_path: Path,
) -> None:
    """Without TLS anybody states what he likes, and a records system may repeat it."""
    broker = Mosquitto(tmp_path)
    await broker.start()
    invented = 2**53 - 1
    state = {"schema": "tera/state/1", "office": "3516", "bench": "meja", "state": "offline"}
    stated = {**state, "numbers": {"given": invented, "started": 0, "ended": 0}}
    latest = {"schema": "tera/latest/1", "office": "3516", "bench": "meja", "said": TIME}
    try:
        await told(broker, STATE, stated, "-r")
        async with speaking(tmp_path / "outbox.sqlite", broker, TRUST) as publisher:
            await until(lambda: publisher.refused == 1)
            await told(broker, RECEIPTS, sign({**latest, "number": invented}, KEY))
            await until(lambda: publisher.refused == 2)
            await publisher.compare_numbers("meja")
            assert await number_of_next(publisher.outbox) == 1
    finally:
        broker.kill()


@pytest.mark.skipif(None in (PROGRAM, PUBLISH, SUBSCRIBE), reason=MISSING)
async def test_only_a_records_system_that_is_trusted_says_which_number_is_the_last(
    tmp_path: Path,
) -> None:
    broker = Mosquitto(tmp_path)
    await broker.start()
    latest = {"schema": "tera/latest/1", "office": "3516", "bench": "meja", "said": TIME}
    signed = sign({**latest, "number": 4}, KEY)
    forged = {**signed, "number": 9}
    foreign = sign({**latest, "bench": "lain", "number": 9}, KEY)
    try:
        async with speaking(tmp_path / "outbox.sqlite", broker, TRUST) as publisher:
            for message in (forged, foreign, {**latest, "number": 9}, signed):
                await told(broker, RECEIPTS, message)
            line = publisher.benches["meja"]
            await until(line.compared.is_set)
            assert publisher.refused == 3
            [older] = await publisher.outbox.held_up_benches()
            assert older.evidence["number"] == 4
    finally:
        broker.kill()
