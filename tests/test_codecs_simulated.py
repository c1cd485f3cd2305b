"""Every protocol on a real pty: a simulated scale speaks it, and the driver reads it back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from acquisition.config import instrument_settings
from acquisition.simulated_workshop import SimulatedWorkshop
from drivers.codecs import CODECS, Codec, codec_named
from drivers.codecs.codec import Requests
from drivers.codecs.request_reader import RequestReader
from drivers.errors import BadDriverSettings
from drivers.indication import Condition, Indication, Origin
from drivers.link import open_link
from drivers.physics import ScalePhysics
from drivers.scale import Scale
from drivers.simulated_scale import SimulatedScale

pytestmark = pytest.mark.timeout(20)
SETTINGS: dict[str, dict[str, str]] = {
    "pattern": {"pattern": r"(?P<status>S|D|O) (?P<value>[ 0-9.-]{8}) (?P<unit>kg)", "stable": "S", "dynamic": "D", "overload": "O"},
}  # fmt: skip
VARIANTS = [
    *((name, SETTINGS.get(name, {})) for name in CODECS),
    *(("yaohua-xk3190", {"format": form, "unit": "kg"}) for form in ("command", "reversed", "forward", "wg", "ww")),
    ("toledo-cont", {"checksum": "none"}),
    ("toledo-cont", {"checksum": "fairbanks"}),
    ("cas-cmd", {"frame": "10", "unit": "kg", "device": "7"}),
]  # fmt: skip
each_variant = pytest.mark.parametrize(
    ("name", "given"),
    VARIANTS,
    ids=[f"{n} {' '.join(g.values())}"[:40].strip() for n, g in VARIANTS],
)


def unit_of(codec: Codec) -> str:
    return "kg" if "kg" in codec.units.values() else next(iter(codec.units.values()))


@asynccontextmanager
async def weighing(
    name: str, given: dict[str, str], **physics: Any
) -> AsyncIterator[tuple[SimulatedScale, AsyncIterator[Indication]]]:
    kind = CODECS[name]
    codec = kind.codec(given)
    mode = "poll" if codec.requests.poll else kind.mode
    far = SimulatedScale(
        ScalePhysics(
            max=Decimal(15),
            d=Decimal("0.005"),
            **({"settling_time": 0.0, "motion_window": 0.0} | physics),
        ),
        unit=unit_of(codec),
        display_cycle=0.005,
        codec=codec,
        streams=mode == "listen" and codec.requests.stream is None,
    )
    scale = Scale(
        "scale", open_link(await far.start("pty")), codec, mode=mode, interval=0.005, timeout=5.0
    )  # type: ignore[arg-type]
    async with aclosing(scale.indications()) as stream:
        yield far, stream
    await far.stop()


async def until(stream: AsyncIterator[Indication], wanted: Any) -> Indication:
    async for one in stream:
        if wanted(one):
            return one
    raise AssertionError("the stream ended")


@each_variant
async def test_the_load_on_a_simulated_scale_is_read_by_its_driver(
    name: str, given: dict[str, str]
) -> None:
    codec = codec_named(name, given)
    async with weighing(name, given) as (far, stream):
        for load in (Decimal("12.345"), Decimal("0.000"), Decimal("-0.050")):
            far.place(load)
            shown = await until(stream, lambda i, load=load: i.value == load)
            assert shown.text == f"{load:f}"
            assert shown.unit in (unit_of(codec), None)
            told = Condition.STABLE if codec.tells_stability else Condition.DYNAMIC
            assert shown.condition is told
            assert (shown.origin, shown.quantity) == (Origin.SIMULATED, "weight")


@each_variant
async def test_a_load_above_the_maximum_is_never_shown_as_a_weight(
    name: str, given: dict[str, str]
) -> None:
    async with weighing(name, given) as (far, stream):
        await until(stream, lambda i: i.value == 0)
        far.place(Decimal(16))

        async def look() -> Indication:
            return await until(stream, lambda i: i.value is None or i.value != 0)

        try:
            seen = await asyncio.wait_for(look(), 0.3)
        except TimeoutError:
            return  # a protocol without a word for it is silent
        assert seen.condition in (Condition.OVERLOAD, Condition.FAULT)
        assert seen.value is None


async def test_a_moving_load_is_dynamic_in_protocols_that_tell() -> None:
    for name in ("sartorius-sbi16", "and-std", "radwag", "toledo-cont", "sma", "kern-w"):
        async with weighing(name, {}, settling_time=0.2, motion_window=0.1) as (far, stream):
            far.place(Decimal(10))
            moving = await until(stream, lambda i: i.condition is Condition.DYNAMIC)
            assert moving.value is not None


async def raw(name: str, given: dict[str, str], sent: list[bytes], wanted: int) -> bytes:
    """Send requests as any program would, and return the first bytes that come back."""
    codec = codec_named(name, given)
    physics = ScalePhysics(
        max=Decimal(15), d=Decimal("0.005"), settling_time=0.0, motion_window=0.0
    )
    far = SimulatedScale(physics, unit="kg", display_cycle=0.005, codec=codec)
    far.place(Decimal("0.250"))
    address = await far.start("tcp://127.0.0.1:0")
    host, _, port = address.removeprefix("socket://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        for request in sent:
            writer.write(request)
            await asyncio.sleep(0.02)
        return await asyncio.wait_for(reader.readexactly(wanted), 5)
    finally:
        writer.close()
        await far.stop()


DIALOGUES = [
    ("sartorius-sbi16", {}, [b"\x1bP"], b"+    0.250 kg \r\n"),
    ("sartorius-sbi16", {}, [b"\x1bU\r\n", b"\x1bP\r\n"], b"+    0.000 kg \r\n"),
    ("and-std", {}, [b"Q\r\n"], b"ST,+0000.250 kg\r\n"),
    ("and-std", {}, [b"T\r\n", b"Q\r\n"], b"ST,+0000.000 kg\r\n"),
    ("and-std", {}, [b"?ID\r\n"], b"ID,SIM-1\r\n"),
    ("kern-w", {}, [b"w"], b"       0.250 kg \r\n"),
    ("kern-w", {}, [b"t", b"w"], b"       0.000 kg \r\n"),
    ("kern-tm", {}, [b"T", b"W"], b"ST,NT 0.000KG\r\n"),
    ("radwag", {}, [b"Z\r\n"], b"Z A\r\nZ D\r\n"),
    ("radwag", {}, [b"T\r\n", b"SI\r\n"], b"T A\r\nT D\r\nSI        0.000 kg \r\n"),
    ("sma", {}, [b"\nW\r"], b"\n 1G       0.250kg \r"),
    ("sma", {}, [b"\nT\r"], b"\n 1N       0.000kg \r"),
    ("sma", {}, [b"\nA\r", b"\nB\r"], b"\nSMA:2/1.0\r\nMOD:SIMULATED\r"),
    ("cas-cmd", {}, [b"01MT\r\n", b"01RW\r\n"], b"01MT\r\nST,NT,1\xc2,0000.000 kg\r\n"),
    ("cas-cmd", {}, [b"02RW\r\n", b"01RW\r\n"], b"ST,GS,1\xc4,0000.250 kg\r\n"),
    ("dini-argeo", {"address": "07"}, [b"07TARE\r\n", b"07READ\r\n"], b"07OK\r\n07ST,NT,   0.000,kg\r\n"),
    ("ohaus", {}, [b"IP\r\n"], b"     0.250 kg\r\n"),
    ("yaohua-xk3190", {"format": "command", "unit": "kg"}, [b"\x02AB03\x03"], b"\x02AB+0002503"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given", "sent", "answer"), DIALOGUES)
async def test_requests_are_answered_as_an_instrument_would(
    name: str, given: dict[str, str], sent: list[bytes], answer: bytes
) -> None:
    assert await raw(name, given, sent, len(answer)) == answer


async def test_zero_is_refused_outside_its_range() -> None:
    physics = ScalePhysics(
        max=Decimal(15), d=Decimal("0.005"), settling_time=0.0, motion_window=0.0
    )
    far = SimulatedScale(physics, unit="kg", codec=codec_named("radwag"))
    far.place(Decimal(5))
    address = await far.start("tcp://127.0.0.1:0")
    host, _, port = address.removeprefix("socket://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"Z\r\n")
    assert await reader.readexactly(10) == b"Z A\r\nZ ^\r\n"
    writer.close()
    await far.stop()


async def test_a_stream_ends_with_its_connection() -> None:
    physics = ScalePhysics(max=Decimal(15), d=Decimal("0.005"))
    far = SimulatedScale(
        physics, unit="kg", display_cycle=0.005, codec=codec_named("cas22"), streams=True
    )
    address = await far.start("tcp://127.0.0.1:0")
    host, _, port = address.removeprefix("socket://").rpartition(":")
    for _ in range(3):
        reader, writer = await asyncio.open_connection(host, int(port))
        assert await reader.readexactly(22)
        writer.close()
        await writer.wait_closed()
    await asyncio.sleep(0.05)
    assert not far._tasks
    await far.stop()


def test_a_unit_that_the_protocol_cannot_print_is_refused() -> None:
    physics = ScalePhysics(max=Decimal(15), d=Decimal("0.005"))
    with pytest.raises(BadDriverSettings, match=r"cannot show µg: choose from .*kg"):
        SimulatedScale(physics, unit="µg", codec=codec_named("cas22"))


REQUESTS = Requests(poll=b"S\r\n", stream=b"SIR\r\n", zero=b"\x1bZ", identity=(b"I1\r\n",))


@pytest.mark.parametrize(
    ("chunks", "kinds"),
    [
        ([b"S\r\n"], ["poll"]),
        ([b"S", b"\r\n"], ["poll"]),
        ([b"SIR\r\n"], ["stream"]),
        ([b"S", b"I", b"R"], ["stream"]),
        ([b"SI\r\nS\r\n"], ["poll", "poll"]),
        ([b"\x1bZ\x1bZ"], ["zero", "zero"]),
        ([b"xx\x1bZ?\r\nI1\r\n"], ["zero", "identity"]),
        ([b"x" * 1000], []),
    ],
)
def test_requests_are_heard_in_any_pieces(chunks: list[bytes], kinds: list[str]) -> None:
    reader = RequestReader(REQUESTS)
    assert [wish.kind for chunk in chunks for wish in reader.feed(chunk)] == kinds


@each_variant
async def test_the_workshop_simulates_every_name(name: str, given: dict[str, str]) -> None:
    unit = unit_of(codec_named(name, given))
    settings = instrument_settings(
        name="simulated", port="simulated", driver=name, settings=given, scale={"max": f"15 {unit}", "d": f"0.005 {unit}"}
    )  # fmt: skip
    workshop = SimulatedWorkshop()
    try:
        assert (await workshop.start(settings)).startswith("/dev/pts/")
    finally:
        await workshop.stop()
