"""Faults on command: each reaches the line, the real driver survives it, and it goes away again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from drivers.codecs import CODECS, codec_named
from drivers.errors import BadDriverSettings
from drivers.indication import Condition, Indication
from drivers.link import open_link
from drivers.physics import ScalePhysics
from drivers.scale import Scale
from drivers.simulated_clock import SimulatedClock
from drivers.simulated_faults import OF_SCALES, Damage, Fault
from drivers.simulated_scale import SimulatedScale

pytestmark = pytest.mark.timeout(30)
CHECKED = ("toledo-cont", "yaohua-xk3190")
"""Protocols with a checksum."""


def simulated(name: str = "mt-sics", **other: Any) -> SimulatedScale:
    kind = CODECS[name]
    codec = codec_named(name, {})
    physics = ScalePhysics(
        max=Decimal(15), d=Decimal("0.005"), settling_time=0.0, motion_window=0.0
    )
    return SimulatedScale(
        physics,
        unit="kg",
        display_cycle=0.005,
        codec=codec,
        streams=kind.mode == "listen" and codec.requests.stream is None,
        **{"boot_time": 0.05} | other,
    )


@asynccontextmanager
async def read(
    far: SimulatedScale, port: str = "pty", name: str = "mt-sics"
) -> AsyncIterator[AsyncIterator[Indication]]:
    address = await far.start(port)
    codec = codec_named(name, {})
    near = Scale(
        "scale", open_link(address), codec, mode=CODECS[name].mode, interval=0.002, timeout=0.05
    )
    async with aclosing(near.indications()) as stream:
        yield stream
    await far.stop()


async def until(stream: AsyncIterator[Indication], wanted: Any) -> Indication:
    async with asyncio.timeout(10):
        async for one in stream:
            if wanted(one):
                return one
    raise AssertionError("the stream ended")


def shows(value: str) -> Any:
    return lambda one: one.value == Decimal(value)


def is_fault(one: Indication) -> bool:
    return one.condition is Condition.FAULT


SAID = {
    "silence": "did not answer",
    "noise": "unreadable bytes",
    "half": "unreadable bytes",
    "late": "did not answer",
    "cable": "did not answer",
}


@pytest.mark.parametrize(("kind", "said"), SAID.items())
async def test_a_fault_is_named_by_the_driver_and_goes_away_with_a_fresh_value(
    kind: str, said: str
) -> None:
    far = simulated()
    async with read(far) as stream:
        await until(stream, shows("0"))
        far.fail(kind, delay=0.2)
        assert said in str((await until(stream, is_fault)).detail)
        far.place(Decimal(5))
        far.recover()
        first = await until(stream, lambda one: one.value is not None)
        assert first.value == 5


async def test_an_overload_is_said_in_the_words_of_the_protocol() -> None:
    far = simulated()
    async with read(far) as stream:
        far.fail(Fault.OVERLOAD)
        await until(stream, lambda one: one.condition is Condition.OVERLOAD)
        far.recover()
        await until(stream, shows("0"))


async def test_a_stale_scale_shows_the_load_of_before_until_it_recovers() -> None:
    far = simulated()
    async with read(far) as stream:
        far.place(Decimal(3))
        await until(stream, shows("3"))
        far.fail("stale")
        far.place(Decimal(7))
        seen = [await anext(stream) for _ in range(20)]
        assert {one.value for one in seen} == {Decimal(3)}
        far.recover()
        await until(stream, shows("7"))


@pytest.mark.parametrize("name", CHECKED)
async def test_no_value_of_a_wrong_checksum_is_believed(name: str) -> None:
    far = simulated(name)
    far.place(Decimal("1.235"))
    async with read(far, name=name) as stream:
        await until(stream, shows("1.235"))
        far.fail("checksum")
        seen = []
        async with asyncio.timeout(10):
            async for one in stream:
                seen.append(one)
                if is_fault(one):
                    break
        assert {one.value for one in seen} <= {Decimal("1.235"), None}
        far.recover()
        await until(stream, shows("1.235"))


def test_a_protocol_without_a_checksum_has_none_to_be_wrong() -> None:
    with pytest.raises(BadDriverSettings, match="The protocol mt-sics has no checksum"):
        simulated().fail("checksum")
    for name in CODECS.keys() - {"pattern", *CHECKED}:
        with pytest.raises(BadDriverSettings, match="has no checksum"):
            simulated(name).fail(Fault.CHECKSUM)


async def test_of_two_scales_that_answer_at_once_no_value_is_taken_that_neither_shows() -> None:
    far = simulated("toledo-cont")
    far.place(Decimal("1.235"))
    async with read(far, name="toledo-cont") as stream:
        await until(stream, shows("1.235"))
        far.fail("collision")
        seen = {(await anext(stream)).value for _ in range(30)}
        assert seen <= {None, Decimal("1.235"), Decimal("1.235") + 137 * Decimal("0.005")}


@pytest.mark.parametrize("port", ["pty", "tcp"])
async def test_an_adapter_that_is_pulled_takes_its_port_along_and_brings_it_back(
    port: str, tmp_path: Path
) -> None:
    far = simulated()
    async with read(
        far, f"pty:{tmp_path}/scale" if port == "pty" else "tcp://127.0.0.1:0"
    ) as stream:
        await until(stream, shows("0"))
        for load in (1, 2, 3):
            far.fail("adapter")
            await until(stream, is_fault)
            assert not (tmp_path / "scale").is_symlink()
            far.place(Decimal(load))
            far.recover()
            first = await until(stream, lambda one: one.value is not None)
            assert first.value == load


async def test_a_port_without_a_name_cannot_be_pulled() -> None:
    far = simulated()
    await far.start("pty")
    with pytest.raises(BadDriverSettings, match="without a name of its own"):
        far.fail("adapter")
    await far.stop()


async def test_after_a_power_cut_zero_is_lost_and_the_serial_number_comes_unasked() -> None:
    far = simulated(serial="A-7")
    address = await far.start("tcp://127.0.0.1:0")
    host, _, number = address.removeprefix("socket://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(number))

    async def ask() -> bytes:
        writer.write(b"SI\r\n")
        return await reader.readline()

    far.place(Decimal(2))
    far.physics.tare(far.clock())
    assert await ask() == b"S S      0.000 kg\r\n"
    far.fail("power")
    assert far.fault is Fault.POWER
    assert await reader.readline() == b'\x00I4 A "A-7"\r\n'
    assert far.fault is None
    assert await ask() == b"S S      2.000 kg\r\n"
    far.place(Decimal("0.100"))
    far.fail("power")
    far.recover()  # a scale that starts cannot be hurried
    assert far.fault is Fault.POWER
    await reader.readline()
    assert await ask() == b"S S      0.000 kg\r\n"
    writer.close()
    await far.stop()


async def test_the_driver_lives_through_a_power_cut_with_or_without_words() -> None:
    for name in ("mt-sics", "and-std", "toledo-cont"):
        far = simulated(name)
        far.place(Decimal(4))
        async with read(far, name=name) as stream:
            await until(stream, shows("4"))
            far.fail("power")
            far.place(Decimal(6))
            first = await until(stream, lambda one: one.value not in (None, Decimal(4)))
            assert first.value == 6


async def test_a_stream_that_was_asked_for_ends_with_the_power() -> None:
    far = simulated()
    address = await far.start("tcp://127.0.0.1:0")
    host, _, number = address.removeprefix("socket://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(number))
    writer.write(b"SIR\r\n")
    await reader.readline()
    far.fail("power")
    while b"I4" not in await reader.readline():
        pass
    writer.write(b"I1\r\n")
    assert await reader.readline() == b'I1 A "01"\r\n'
    writer.close()
    await far.stop()


@pytest.mark.parametrize("kind", [k for k in OF_SCALES if k not in ("checksum", "adapter")])
async def test_every_protocol_lives_through_every_fault(kind: Fault) -> None:
    for name in ("sartorius-sbi16", "and-std", "radwag", "sma", "kern-w", "cas-cmd"):
        far = simulated(name)
        async with read(far, name=name) as stream:
            await until(stream, shows("0"))
            far.fail(kind, delay=0.01)
            await asyncio.wait_for(anext(stream), 10)
            far.place(Decimal(9))
            far.recover()
            await until(stream, shows("9"))


def test_faults_that_are_none_are_refused() -> None:
    for kind in ("flood", "exception", "sensor", "alarm", ""):
        with pytest.raises(BadDriverSettings, match="has no fault"):
            simulated().fail(kind)


def test_two_frames_on_one_pair_of_wires_are_heard_as_their_common_bits_or_one_after_the_other() -> None:  # fmt: skip
    damage = Damage(1)

    def heard() -> bytes:
        return damage.to(
            b"ABCD", Fault.COLLISION, spoiled=lambda frame: frame, other=lambda: b"abcd"
        )

    seen = {heard() for _ in range(200)}
    assert b"ABCDabcd" in seen
    assert bytes(a & b for a, b in zip(b"ABCD", b"abcd", strict=True)) in seen
    assert all(4 <= len(one) <= 8 for one in seen)


async def test_a_clock_runs_at_its_pace_and_leaps_over_what_is_waited_for() -> None:
    clock = SimulatedClock(pace=100.0)
    begun = clock()
    await clock.until(begun + 1.0)
    assert clock() - begun >= 1.0
    waiting = asyncio.create_task(clock.until(clock() + 1e6))
    await asyncio.sleep(0)
    clock.leap(2e6)
    await asyncio.wait_for(waiting, 1)
