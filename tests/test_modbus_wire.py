"""The door to pymodbus: one question, one outcome, nothing on stderr."""

import asyncio
import gc
import logging
import socket
from contextlib import suppress
from decimal import Decimal

import pytest

from drivers.modbus_address import LineSettings
from drivers.modbus_wire import ModbusLine, Outcome
from drivers.physics import ScalePhysics
from drivers.simulated_meter import SimulatedMeter
from drivers.simulated_scale import SimulatedScale


async def line_to(url: str, chunks: list[tuple[str, bytes]] | None = None) -> ModbusLine:
    mode, _, place = url.partition("://")
    host, _, port = place.rpartition(":")
    settings = (
        LineSettings("rtu", place, 0, 19200, "8N1")
        if mode == "rtu"
        else LineSettings("tcp" if mode == "tcp" else "rtu+tcp", host, int(port), 19200, "8E1")
    )

    def tee(direction: str, data: bytes, _: int) -> None:
        if chunks is not None:
            chunks.append((direction, data))

    line = ModbusLine(settings, tee=tee)
    await line.connect(5)
    return line


@pytest.mark.parametrize(
    ("port", "sent", "received"),
    [
        ("tcp://127.0.0.1:0", "00010000000601031aca0001", 11),
        ("rtu+tcp://127.0.0.1:0", "01031aca0001", 7),
        ("pty", "01031aca0001", 7),
    ],
)
async def test_every_byte_in_both_directions_is_teed(port: str, sent: str, received: int) -> None:
    meter = SimulatedMeter()
    chunks: list[tuple[str, bytes]] = []
    line = await line_to(await meter.start(port), chunks)
    reply = await line.read(1, "holding", 6858, 1, timeout=5)
    assert (reply.outcome, reply.registers) == (Outcome.REGISTERS, (1,))
    assert reply.sent_ns < reply.arrived_ns
    assert b"".join(d for way, d in chunks if way == "sent").startswith(bytes.fromhex(sent))
    assert sum(len(d) for way, d in chunks if way == "received") == received
    await line.close()
    await meter.stop()


@pytest.mark.parametrize("port", ["tcp://127.0.0.1:0", "rtu+tcp://127.0.0.1:0", "pty"])
async def test_a_line_that_goes_away_ends_the_waiting_at_once(port: str) -> None:
    meter = SimulatedMeter()
    line = await line_to(await meter.start(port))
    assert (await line.read(1, "holding", 6858, 1, timeout=5)).outcome is Outcome.REGISTERS
    meter.fail("silence")
    asked = asyncio.Event()
    waiting = asyncio.create_task(line.read(1, "holding", 6858, 1, timeout=60))
    asyncio.get_running_loop().call_later(0.05, asked.set)
    await asked.wait()
    await meter.stop()
    async with asyncio.timeout(10):
        reply = await waiting
    assert reply.outcome is Outcome.LOST
    assert not line.connected
    await line.close()


@pytest.mark.parametrize("turns", range(6))
@pytest.mark.parametrize("kind", ["tcp", "rtu+tcp", "scale"])
async def test_a_server_that_stops_as_somebody_connects_leaves_nothing_open(
    kind: str, turns: int
) -> None:
    """A connection is accepted in several turns of the loop, and the end may come between any two."""
    server: SimulatedMeter | SimulatedScale = SimulatedMeter()
    if kind == "scale":
        server = SimulatedScale(ScalePhysics(max=Decimal(15), d=Decimal("0.005")))
    url = await server.start("tcp://127.0.0.1:0" if kind == "scale" else f"{kind}://127.0.0.1:0")
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as client:
        for _ in range(turns):
            await asyncio.sleep(0)
        await server.stop()
        client.settimeout(5)
        with suppress(ConnectionResetError):
            assert client.recv(1) == b""
    gc.collect()  # whatever is still open says so, and a warning is an error


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [("silence", Outcome.SILENCE), ("late", Outcome.SILENCE), ("exception", Outcome.EXCEPTION)],
)
async def test_each_misbehaviour_has_its_outcome_and_prints_nothing(
    kind: str, outcome: Outcome, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="root")
    meter = SimulatedMeter()
    line = await line_to(await meter.start())
    meter.fail(kind, delay=1.0)
    reply = await line.read(1, "holding", 6858, 1, timeout=0.1)
    assert reply.outcome is outcome
    assert reply.code == (4 if outcome is Outcome.EXCEPTION else 0)
    meter.recover()
    assert (await line.read(1, "holding", 6858, 1, timeout=5)).outcome is Outcome.REGISTERS
    await line.close()
    await meter.stop()
    assert not [r for r in caplog.records if r.name.startswith("pymodbus")]


async def test_an_absent_unit_behind_a_gateway_is_an_exception_and_on_rtu_silence() -> None:
    meter = SimulatedMeter(unit=7)
    line = await line_to(await meter.start())
    reply = await line.read(8, "holding", 6858, 1, timeout=5)
    assert (reply.outcome, reply.code) == (Outcome.EXCEPTION, 11)
    await line.close()
    await meter.stop()
    line = await line_to(await meter.start("pty"))
    assert (await line.read(8, "holding", 6858, 1, timeout=0.1)).outcome is Outcome.SILENCE
    await line.close()
    await meter.stop()


async def test_a_name_that_leads_nowhere_is_an_oserror_with_a_reason() -> None:
    with pytest.raises(OSError, match="no-such-device"):
        await line_to("rtu:///dev/no-such-device")
