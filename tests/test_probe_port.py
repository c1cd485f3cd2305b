"""The probe on real ptys and sockets: a cable with a UART at each end, and simulated instruments."""

import asyncio
import os
import time
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal

import pytest

from drivers.codecs import CODECS
from drivers.errors import BadDriverSettings, LinkLost
from drivers.link import open_link
from drivers.physics import ScalePhysics
from drivers.probe_heard import dialects
from drivers.probe_pattern import propose
from drivers.probe_plan import Patience
from drivers.probe_port import ProbePort, carry_out
from drivers.probe_search import Search, search_for
from drivers.probe_wire import heard_as
from drivers.simulated_scale import SimulatedScale
from tests.probe_cable import Cable

pytestmark = pytest.mark.timeout(60)
PATTERN = {"pattern": r"BERAT (?P<value>[ 0-9.-]{8}) (?P<unit>kg)"}
LINES = [(9600, "8N1"), (9600, "7E1"), (9600, "8N1"), (9600, "8N1"), (4800, "8N1")]
OF_EIGHT_BITS = ("cas22", "cas-cmd")


def lines() -> list[tuple[str, int, str]]:
    """Give every protocol a speed and framing, the frequent ones more often."""
    found = []
    for number, name in enumerate(CODECS):
        baudrate, framing = LINES[number % len(LINES)]
        found.append((name, baudrate, "8N1" if name in OF_EIGHT_BITS else framing))
    return found


@asynccontextmanager
async def simulated(name: str, *, streams: bool | None = None) -> AsyncIterator[str]:
    """Run a simulated scale behind TCP; give its address."""
    kind = CODECS[name]
    codec = kind.codec(PATTERN if name == "pattern" else {})
    known = list(codec.units.values())
    unasked = codec.requests.poll is None if streams is None else streams
    scale = SimulatedScale(
        ScalePhysics(max=Decimal(15), d=Decimal("0.005"), settling_time=0.0, motion_window=0.0),
        unit="kg" if "kg" in known else known[0],
        display_cycle=0.02,
        codec=codec,
        streams=unasked,
    )
    scale.place(Decimal("12.345"))
    try:
        yield await scale.start("tcp://127.0.0.1:0")
    finally:
        await scale.stop()


async def searched(port: str, pace: float = 1.0, budget: float = 30.0) -> Search:
    """Probe a port in a world that is so many times quicker."""
    end = time.monotonic() + budget
    search = search_for(port, Patience().at_pace(pace), lambda: end - time.monotonic())
    line = ProbePort(port)
    try:
        await carry_out(search, line, lambda _: None)
    finally:
        await line.aclose()
    return search


async def found(port: str, *paces: float) -> Search:
    """Probe quickly; on a machine that is busy just then, once more in its own time."""
    for pace in paces or (8.0, 2.0):
        search = await searched(port, pace)
        if search.found:
            return search
    return await searched(port)


async def proposed(cable: Cable) -> tuple[str, str] | None:
    """Return framing and first indication of the pattern that is proposed for what was heard."""
    for pace in (4.0, 1.0):
        search = await searched(cable.path, pace)
        assert search.scales is not None
        for heard in search.scales.noise:
            for told, plain in heard_as(heard.data):
                if heard.baudrate == cable.baudrate and (proposal := propose(plain)):
                    return told, proposal.shown[0].text
    return None


@pytest.mark.parametrize(("name", "baudrate", "framing"), lines())
async def test_every_protocol_is_found_at_its_speed_on_a_pty(
    name: str, baudrate: int, framing: str
) -> None:
    cable = Cable(baudrate, framing)
    async with simulated(name) as address, cable.to(address):
        if name == "pattern":
            assert await proposed(cable) == (framing, "12.345")
            return
        streams = CODECS[name].codec({}).requests.poll is None
        search = await found(cable.path, *((2.0,) if streams else ()))
        assert search.scales is not None
        fits = [fit for fit in search.scales.best if fit.dialect.name == name]
        assert {(fit.baudrate, fit.framing) for fit in fits} == {(baudrate, framing)}
        assert fits[0].shown[-1].text == "12.345"
        if streams:
            assert cable.heard == b""  # nothing is sent to an instrument that streams
            assert fits[0].mode == "listen"


async def test_the_answer_of_the_probe_reads_the_scale() -> None:
    cable = Cable(9600, "7E1")
    async with simulated("and-std") as address, cable.to(address):
        search = await found(cable.path)
        assert search.scales is not None
        (first, *others) = search.scales.best
        assert [fit.dialect.name for fit in (first, *others)] == ["and-std", "and-gc"]
        assert (first.baudrate, first.framing, first.mode) == (9600, "7E1", "poll")


async def test_two_instruments_that_answer_one_request_are_told() -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    loop = asyncio.get_running_loop()

    def asked() -> None:
        if b"SI" in os.read(master, 256):
            os.write(master, b"S S     12.345 kg\r\nS S      7.100 kg\r\n")

    loop.add_reader(master, asked)
    try:
        search = await found(os.ttyname(slave))
        assert search.scales is not None
        assert [said.text for said in search.scales.best[0].others][:1] == ["7.100"]
    finally:
        loop.remove_reader(master)
        os.close(master)
        os.close(slave)


async def test_noise_on_a_pty_is_no_instrument() -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    noise = bytes((i * 167 + 13) % 256 for i in range(256))

    async def rustle() -> None:
        while True:
            with suppress(BlockingIOError):
                os.write(master, noise)
            await asyncio.sleep(0.01)

    task = asyncio.create_task(rustle())
    try:
        search = await searched(os.ttyname(slave), pace=20.0)
        assert search.scales is not None
        assert not search.found
        assert search.scales.noise
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        os.close(master)
        os.close(slave)


async def test_a_silent_line_is_asked_for_scales_and_for_a_bus() -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    try:
        search = await searched(os.ttyname(slave), pace=40.0, budget=2.5)
        assert len(search.tried) > 3
        assert not search.found
        heard = os.read(master, 65536)
        assert b"SI\r\n" in heard
        assert b"\x01\x03\x00\x00\x00\x02" in heard  # and unit 1 of a bus
    finally:
        os.close(master)
        os.close(slave)


async def test_the_budget_is_kept_to_the_tenth_of_a_second() -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    try:
        began = time.monotonic()
        search = await searched(os.ttyname(slave), budget=0.3)
        assert search.out_of_time
        assert 0.25 < time.monotonic() - began < 2
    finally:
        os.close(master)
        os.close(slave)


async def test_a_port_in_use_is_left_alone() -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    other = open_link(path)
    await other.open()
    try:
        for port in (path, f"rtu://{path}"):
            with pytest.raises(LinkLost, match="in use by another program"):
                await searched(port)
    finally:
        await other.close()
        os.close(master)
        os.close(slave)


async def test_a_line_that_goes_away_is_named() -> None:
    master, slave = os.openpty()
    path = os.ttyname(slave)
    tty.setraw(slave)
    os.close(slave)
    asyncio.get_running_loop().call_later(0.2, os.close, master)
    with pytest.raises(LinkLost, match="is gone"):
        await searched(path)


@pytest.mark.parametrize(
    "port", ["/dev/no-such-port", "rtu:///dev/no-such-port", "tcp://127.0.0.1:1"]
)
async def test_a_port_that_is_not_there_is_named(port: str) -> None:
    with pytest.raises(LinkLost):
        await searched(port)


@pytest.mark.parametrize("port", ["foo://x", "socket://nowhere", "tcp://", "rtu://relative"])
async def test_what_is_no_port_is_refused(port: str) -> None:
    with pytest.raises(BadDriverSettings):
        await searched(port)


async def test_a_scale_behind_a_serial_server_is_found_without_a_speed() -> None:
    async with simulated("sartorius-sbi16") as address:
        search = await found(address)
        assert search.scales is not None
        names = [fit.dialect.name for fit in search.scales.best]
        assert names == ["sartorius-sbi", "sartorius-sbi16"]


def test_every_dialect_is_tried_by_name() -> None:
    assert {d.name for d in dialects()} == set(CODECS) - {"pattern"}
