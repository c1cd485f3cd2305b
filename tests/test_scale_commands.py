"""Zero and tare in every protocol that has them, whatever the instrument answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

import drivers.scale
from drivers.codecs import CODECS, codec_named
from drivers.codecs.codec import Answer
from drivers.errors import InstrumentRefused, NoAnswer
from drivers.link import open_link
from drivers.physics import ScalePhysics
from drivers.scale import Scale
from drivers.simulated_scale import SimulatedScale
from tests.test_codecs_simulated import SETTINGS, unit_of
from tests.wire import Wire

pytestmark = pytest.mark.timeout(30)
POLLED = [name for name in CODECS if codec_named(name, SETTINGS.get(name, {})).requests.poll]
ZEROES = [name for name in POLLED if codec_named(name, SETTINGS.get(name, {})).requests.zero]
TARES = [name for name in POLLED if codec_named(name, SETTINGS.get(name, {})).requests.tare]


@asynccontextmanager
async def weighing(name: str, **physics: Any) -> AsyncIterator[tuple[SimulatedScale, Scale]]:
    codec = codec_named(name, SETTINGS.get(name, {}))
    still = {"settling_time": 0.0, "motion_window": 0.0}
    far = SimulatedScale(
        ScalePhysics(max=Decimal(15), d=Decimal("0.005"), **(still | physics)),
        unit=unit_of(codec),
        codec=codec,
    )
    port = await far.start("pty")
    scale = Scale("scale", open_link(port), codec, interval=0.01, timeout=1.0)
    yield far, scale
    await scale.aclose()
    await far.stop()


async def shown(scale: Scale) -> str:
    async with aclosing(scale.indications()) as stream:
        return (await anext(stream)).text


@pytest.mark.parametrize("name", ZEROES)
async def test_zero_is_set_and_what_is_shown_after_it_is_zero(name: str) -> None:
    async with weighing(name) as (far, scale):
        far.place(Decimal("0.100"))
        assert await scale.zero() is True
        assert await shown(scale) == "0.000"


@pytest.mark.parametrize("name", TARES)
async def test_the_tare_is_set_and_the_net_weight_is_zero(name: str) -> None:
    async with weighing(name) as (far, scale):
        far.place(Decimal("2.000"))
        assert await scale.tare() is True
        assert await shown(scale) == "0.000"
        far.place(Decimal("3.500"))
        assert await shown(scale) == "1.500"


@pytest.mark.parametrize("name", ZEROES)
async def test_a_scale_that_does_not_set_zero_is_not_said_to_have_done_so(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drivers.scale, "_PATIENCE_ZERO", 0.2)
    async with weighing(name) as (far, scale):
        scale._timeout = 0.2
        far.place(Decimal("5.000"))  # beyond 2 % of Max
        try:
            done = await scale.zero()
        except InstrumentRefused:
            done = False  # the instrument said why
        assert done is False
        assert await shown(scale) == "5.000"


async def test_a_load_that_moves_is_waited_for() -> None:
    async with weighing("sartorius-sbi16", settling_time=0.05, motion_window=0.05) as (far, scale):
        far.place(Decimal("0.100"))
        assert await scale.zero() is True
        assert await shown(scale) == "0.000"


async def test_an_answer_in_two_steps_is_whole_at_the_second() -> None:
    """A Radwag answers A at once and D when the load was stable: A alone says nothing."""

    def answer(request: bytes) -> list[tuple[float, bytes]]:
        return [(0, b"Z A\r\n"), (0.3, b"Z D\r\n")]

    async with Wire(answer) as wire:
        scale = Scale("scale", open_link(wire.port), codec_named("radwag"), timeout=0.1)
        assert await scale.command(b"Z\r\n") == (Answer("Z", "A"), Answer("Z", "D"))
        await scale.aclose()


@pytest.mark.parametrize(("last", "outcome"), [(b"Z D", True), (b"Z ^", False), (b"Z E", False)])
async def test_the_second_answer_says_what_became_of_it(last: bytes, outcome: bool) -> None:
    async with Wire(lambda _: [(0, b"Z A\r\n" + last + b"\r\n")]) as wire:
        scale = Scale("scale", open_link(wire.port), codec_named("radwag"), timeout=1.0)
        assert await scale.zero() is outcome
        await scale.aclose()


async def test_an_answer_without_a_name_is_the_answer_to_what_was_asked() -> None:
    async with Wire(lambda _: [(0, b"OK\r\n")]) as wire:
        scale = Scale("scale", open_link(wire.port), codec_named("dini-argeo"), timeout=1.0)
        assert await scale.tare() is True
        assert wire.heard == [b"TARE"]
        await scale.aclose()


async def test_an_acknowledgement_is_no_promise_of_zero() -> None:
    """An A&D balance with acknowledgement on: what counts is what it shows."""
    weight = b"ST,+00000.50  g\r\n"

    def answer(request: bytes) -> list[tuple[float, bytes]]:
        return [(0, b"\x06\r\n")] if request == b"Z" else [(0, weight)]

    async with Wire(answer) as wire:
        scale = Scale("scale", open_link(wire.port), codec_named("and-std"), timeout=1.0)
        zeroing = asyncio.ensure_future(scale.zero())
        while len(wire.heard) < 4:
            await asyncio.sleep(0.002)
        assert not zeroing.done()
        weight = b"ST,+00000.00  g\r\n"
        assert await zeroing is True
        await scale.aclose()


async def test_a_scale_that_has_gone_silent_after_a_command_is_said_to_be_silent() -> None:
    async with Wire(lambda _: []) as wire:
        scale = Scale("scale", open_link(wire.port), codec_named("ohaus"), timeout=0.1)
        with pytest.raises(NoAnswer):
            await scale.zero()
        await scale.aclose()
