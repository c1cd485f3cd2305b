"""A frame that ends with silence is shown when it is silent, not when the next one comes."""

import asyncio
import time
from contextlib import aclosing

import pytest

import drivers.link
from drivers.codecs import codec_named
from drivers.link import open_link
from drivers.scale import Scale
from tests.wire import Wire

pytestmark = pytest.mark.timeout(20)
REVERSED = {"format": "reversed", "unit": "kg"}
NOT_FROM_ONE = 0.02
"""What comes in a line's first moment [s] is thrown away."""


def scale_at(wire: Wire, name: str, settings: dict[str, str]) -> Scale:
    return Scale("scale", open_link(wire.port), codec_named(name, settings), mode="listen")


async def listening(scale: Scale) -> None:
    while not (scale.counters.opened and scale._link._waiting):  # type: ignore[attr-defined]
        await asyncio.sleep(0.002)
    await asyncio.sleep(3 * NOT_FROM_ONE)


def yaohua(text: str) -> bytes:
    return b"=" + text.rjust(8, "0")[::-1].encode()


def toledo(value: int) -> bytes:
    return b"\x02,0 %6d%6d\r" % (value, 0)


@pytest.mark.parametrize(
    ("name", "settings", "frame", "text"),
    [
        ("yaohua-xk3190", REVERSED, yaohua("125.00"), "125.00"),
        ("toledo-cont", {}, toledo(1234), "12.34"),
        ("pattern", {"pattern": "(?P<value>[0-9.]{6})", "start": "*", "terminator": "", "length": "6", "unit": "kg"}, b"*012.50", "12.50"),
    ],
)  # fmt: skip
async def test_the_last_frame_needs_no_other_after_it(
    name: str, settings: dict[str, str], frame: bytes, text: str
) -> None:
    async with Wire() as wire:
        scale = scale_at(wire, name, settings)
        async with aclosing(scale.indications()) as stream:
            first = asyncio.ensure_future(anext(stream))
            await listening(scale)
            before = time.monotonic_ns()
            wire.send(frame)
            after = time.monotonic_ns()
            seen = await first
        assert seen.text == text
        assert before <= seen.arrived_ns < after + 20_000_000  # and not when silence had told
        assert seen.since_ns <= before


async def test_a_frame_that_pauses_in_the_middle_is_not_cut() -> None:
    async with Wire() as wire:
        scale = scale_at(wire, "yaohua-xk3190", REVERSED)
        frame = yaohua("125.00")
        async with aclosing(scale.indications()) as stream:
            first = asyncio.ensure_future(anext(stream))
            await listening(scale)
            for at in range(0, len(frame), 3):
                wire.send(frame[at : at + 3])
                await asyncio.sleep(2 * scale._link.silence)
            assert (await first).text == "125.00"
        assert scale.counters.garbled == 0


async def test_a_checksum_that_comes_late_does_not_spoil_the_next_frame() -> None:
    """With checksum = auto a pause before the checksum ends the frame without it."""
    async with Wire() as wire:
        scale = scale_at(wire, "toledo-cont", {})
        texts: list[str] = []
        async with aclosing(scale.indications()) as stream:
            following = asyncio.ensure_future(anext(stream))
            await listening(scale)
            for value in (111, 222, 333):
                wire.send(toledo(value))
                texts.append((await following).text)
                wire.send(b"\x31")
                following = asyncio.ensure_future(anext(stream))
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        assert texts == ["1.11", "2.22", "3.33"]


async def test_a_frame_that_silence_ended_is_as_old_as_the_frame_before_it() -> None:
    """The first frames may have begun before the load was changed; the third cannot have."""
    async with Wire() as wire:
        scale = scale_at(wire, "yaohua-xk3190", REVERSED)
        async with aclosing(scale.indications()) as stream:
            following = asyncio.ensure_future(anext(stream))
            await listening(scale)
            for load in range(1, 4):
                placed = time.monotonic_ns()
                fresh = []
                for _ in range(3):
                    wire.send(yaohua(f"{load}.00"))
                    seen = await following
                    following = asyncio.ensure_future(anext(stream))
                    assert seen.text == f"{load}.00"
                    fresh.append(seen.since_ns > placed)
                assert (fresh[0], fresh[-1]) == (False, True)
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


async def test_lines_with_a_terminator_wait_for_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drivers.link, "_BUFFERED", 10.0)
    async with Wire() as wire:
        scale = scale_at(wire, "cas22", {})
        async with aclosing(scale.indications()) as stream:
            first = asyncio.ensure_future(anext(stream))
            await listening(scale)
            wire.send(b"ST,GS,1\xc4,000013.5 kg\r\nST,GS")
            assert (await first).text == "13.5"
