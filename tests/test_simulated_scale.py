"""A simulated scale as any program sees it: plain sockets and device files, no driver of ours."""

import asyncio
import os
import re
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import drivers.simulated_scale
from drivers.errors import BadDriverSettings, LinkLost
from drivers.physics import ScalePhysics
from drivers.simulated_faults import Fault
from drivers.simulated_scale import SimulatedScale

pytestmark = pytest.mark.timeout(20)
TCP = "tcp://127.0.0.1:0"


def simulated(
    *, settling_time: float = 0.0, motion_window: float = 0.0, **other: Any
) -> SimulatedScale:
    """Return a scale with Max = 1000 g and e = 0.1 g that shows a load at once, as stable."""
    of_physics = {k: v for k, v in other.items() if k in ("noise", "seed", "span_error_ppm", "d")}
    of_scale = {k: v for k, v in other.items() if k in ("unit", "serial", "display_cycle", "seed")}
    physics = ScalePhysics(
        max=Decimal(1000),
        e=Decimal("0.1"),
        settling_time=settling_time,
        motion_window=motion_window,
        **({"d": Decimal("0.01")} | of_physics),
    )
    return SimulatedScale(physics, **({"display_cycle": 0.01} | of_scale))


class Client:
    """A terminal program: sends lines and reads lines."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, text: str) -> None:
        self.writer.write(text.encode())

    async def line(self) -> str:
        data = await self.reader.readuntil(b"\r\n")
        return data.decode().removesuffix("\r\n")

    async def ask(self, command: str) -> str:
        self.send(command + "\r\n")
        return await self.line()

    async def silent(self) -> None:
        """Make sure that nothing was said: what comes next is the answer to I3."""
        assert await self.ask("I3") == 'I3 A "tante-sari simulation"'


@asynccontextmanager
async def talking(scale: SimulatedScale, port: str = TCP) -> AsyncIterator[Client]:
    address = await scale.start(port)
    host, _, number = address.removeprefix("socket://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(number))
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()
        await scale.stop()


# ---- what it says

STILL = [
    ("S", "S S     250.00 g"),
    ("SI", "S S     250.00 g"),
    ("I1", 'I1 A "01"'),
    ("I2", 'I2 A "SIMULATED 1000 g"'),
    ("I3", 'I3 A "tante-sari simulation"'),
    ("I4", 'I4 A "A-1042"'),
    ("@", 'I4 A "A-1042"'),
    ("TA", "TA A       0.00 g"),
    ("T", "T S     250.00 g"),
    ("TI", "TI S     250.00 g"),
    ("Z", "Z +"),
    ("ZI", "ZI +"),
    ("", "ES"),
    ("s", "ES"),
    ("SI ", "ES"),
    (" SI", "ES"),
    ("SX", "ES"),
    ("I9", "ES"),
    ("S\x00I", "ES"),
    ("\N{DEGREE SIGN}", "ES"),
]


@pytest.mark.parametrize(("command", "answer"), STILL)
async def test_each_command_has_its_answer(command: str, answer: str) -> None:
    scale = simulated(serial="A-1042")
    scale.place(Decimal(250))
    async with talking(scale) as client:
        assert await client.ask(command) == answer
        await client.silent()


async def test_it_lists_its_commands_with_their_levels_and_knows_each() -> None:
    scale = simulated()
    async with talking(scale) as client:
        client.send("I0\r\n")
        lines = [await client.line()]
        while lines[-1].startswith("I0 B"):
            lines.append(await client.line())
        assert lines[-1].startswith("I0 A")
        listed = dict(re.fullmatch(r'I0 [AB] ([01]) "(.+)"', one).groups()[::-1] for one in lines)  # type: ignore[union-attr]
        level_0 = {"I0", "I1", "I2", "I3", "I4", "S", "SI", "SIR", "Z", "ZI", "@"}
        assert listed == dict.fromkeys(level_0, "0") | dict.fromkeys(("T", "TI", "TA"), "1")
        for command in sorted(listed.keys() - {"I0", "SIR"}):
            assert await client.ask(command) != "ES"


@pytest.mark.parametrize(
    ("load", "answer"),
    [
        ("0", "S S       0.00 g"),
        ("1000.00", "S S    1000.00 g"),
        ("1000.90", "S S    1000.90 g"),
        ("1000.91", "S +"),
        ("5000", "S +"),
        ("-2.00", "S S      -2.00 g"),
        ("-2.01", "S -"),
    ],
)
async def test_it_shows_up_to_max_and_nine_e_and_down_to_minus_twenty_e(
    load: str, answer: str
) -> None:
    scale = simulated()
    scale.place(Decimal(load))
    async with talking(scale) as client:
        assert await client.ask("SI") == answer
        assert await client.ask("S") == answer


async def test_the_limits_of_the_display_are_those_of_the_whole_load_not_of_the_net() -> None:
    scale = simulated()
    scale.place(Decimal(500))
    async with talking(scale) as client:
        assert await client.ask("T") == "T S     500.00 g"
        scale.place(Decimal(1001))
        assert await client.ask("SI") == "S +"
        assert await client.ask("T") == "T +"
        scale.place(Decimal(0))
        assert await client.ask("SI") == "S S    -500.00 g"
        scale.place(Decimal(-3))
        assert await client.ask("SI") == "S -"
        assert await client.ask("TI") == "TI -"
        assert await client.ask("TA") == "TA A     500.00 g"


async def test_tare_is_remembered_until_zero_or_reset() -> None:
    scale = simulated()
    async with talking(scale) as client:
        for forget in ("@", "Z"):
            scale.place(Decimal(100))
            assert await client.ask("T") == "T S     100.00 g"
            assert await client.ask("SI") == "S S       0.00 g"
            assert await client.ask("TA") == "TA A     100.00 g"
            scale.place(Decimal(0))
            await client.ask(forget)
            assert await client.ask("TA") == "TA A       0.00 g"


@pytest.mark.parametrize("command", ["Z", "ZI"])
async def test_zero_is_set_within_two_percent_of_max_from_the_first_zero(command: str) -> None:
    done = f"{command} {'A' if command == 'Z' else 'S'}"
    scale = simulated()
    async with talking(scale) as client:
        for load, answer in (
            ("19.99", done),
            ("20.01", f"{command} +"),
            ("-20.01", f"{command} -"),
        ):
            scale.place(Decimal(load))
            assert await client.ask(command) == answer
        scale.place(Decimal(10))
        assert await client.ask(command) == done
        scale.place(Decimal(25))  # 15 g from the zero now, 25 g from the first
        assert await client.ask(command) == f"{command} +"
        assert await client.ask("SI") == "S S      15.00 g"


async def test_s_waits_until_stable_and_si_does_not() -> None:
    quick = simulated(settling_time=0.02, motion_window=0.02)
    async with talking(quick) as client:
        quick.place(Decimal(100))
        assert await client.ask("S") == "S S     100.00 g"
        quick.place(Decimal(5))
        assert await client.ask("Z") == "Z A"
        quick.place(Decimal(105))
        assert await client.ask("T") == "T S     100.00 g"
    slow = simulated(settling_time=10.0, motion_window=10.0)
    async with talking(slow) as client:
        assert await client.ask("SI") == "S S       0.00 g"
        slow.place(Decimal(10))
        await asyncio.sleep(0.01)
        assert (await client.ask("SI")).startswith("S D ")
        assert await client.ask("ZI") == "ZI D"
        assert (await client.ask("TI")).startswith("TI D ")


async def test_the_zero_key_waits_until_stable() -> None:
    scale = simulated(settling_time=0.02, motion_window=0.02)
    async with talking(scale) as client:
        scale.place(Decimal(10))
        await scale.zero()
        assert await client.ask("S") == "S S       0.00 g"


@pytest.mark.parametrize("command", ["S", "Z", "T"])
async def test_what_needs_a_stable_load_gives_up_in_the_end(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drivers.simulated_scale, "_STABLE_WITHIN", 0.03)
    scale = simulated(settling_time=10.0, motion_window=10.0)
    scale.place(Decimal(100))
    async with talking(scale) as client:
        assert await client.ask(command) == f"{command} I"


@pytest.mark.parametrize("stop", ["SI", "S", "@"])
async def test_sir_repeats_until_it_is_stopped(stop: str) -> None:
    scale = simulated()
    scale.place(Decimal(7))
    async with talking(scale) as client:
        client.send("SIR\r\n")
        assert [await client.line() for _ in range(5)] == ["S S       7.00 g"] * 5
        scale.place(Decimal(8))
        while await client.line() != "S S       8.00 g":
            pass
        client.send(f"{stop}\r\nI1\r\n")
        while await client.line() != 'I1 A "01"':
            pass
        # nothing more, though a display cycle passes
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.line(), 0.05)
        await client.silent()


async def test_a_second_sir_does_not_double_the_stream() -> None:
    scale = simulated(display_cycle=0.02)
    async with talking(scale) as client:
        loop = asyncio.get_running_loop()
        client.send("SIR\r\nSIR\r\nSIR\r\n")
        await client.line()
        began = loop.time()
        for _ in range(2 + 10):  # the first of each SIR, and then ten
            await client.line()
        assert loop.time() - began > 0.9 * 8 * 0.02


async def test_one_who_hangs_up_stops_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    scale = simulated(display_cycle=0.001)
    async with talking(scale) as client:
        client.send("SIR\r\n")
        await client.line()
        client.writer.transport.abort()
        host, number = client.writer.get_extra_info("peername")
        reader, writer = await asyncio.open_connection(host, number)
        other = Client(reader, writer)
        for _ in range(50):
            await other.silent()
        await asyncio.sleep(0.05)  # a stream to nobody would be warned of by now
        assert await other.ask("SI") == "S S       0.00 g"
        writer.close()
        await writer.wait_closed()
    assert not caplog.records


async def test_requests_may_come_in_pieces_and_many_at_once() -> None:
    scale = simulated()
    async with talking(scale) as client:
        for piece in ("I", "4", "\r", "\nI1\r\nSI\r\nI"):
            client.send(piece)
            await client.writer.drain()
        assert await client.line() == 'I4 A "SIM-1"'
        assert await client.line() == 'I1 A "01"'
        assert await client.line() == "S S       0.00 g"
        assert await client.ask("3") == 'I3 A "tante-sari simulation"'


@pytest.mark.parametrize(
    ("unit", "d", "shown"),
    [
        ("kg", "0.001", "S S      0.000 kg"),
        ("mg", "1", "S S          0 mg"),
        ("µg", "1", "S S          0 ug"),
        ("t", "0.0000001", "S S  0.0000000 t"),
        ("ct", "1E+1", "S S          0 ct"),
    ],
)
async def test_it_prints_its_unit_and_every_digit(unit: str, d: str, shown: str) -> None:
    scale = simulated(unit=unit, d=Decimal(d))
    async with talking(scale) as client:
        assert await client.ask("SI") == shown
        digits = shown.removeprefix("S S ")
        assert await client.ask("T") == f"T S {digits}"
        assert await client.ask("TA") == f"TA A {digits}"


# ---- faults


async def test_silence() -> None:
    scale = simulated()
    async with talking(scale) as client:
        scale.fail("silence")
        for command in ("SI", "S", "Z", "I4", "@", "nonsense"):
            client.send(command + "\r\n")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.line(), 0.05)
        scale.recover()
        await client.silent()


async def test_a_stream_falls_silent_noisy_and_overloaded_too() -> None:
    scale = simulated()
    async with talking(scale) as client:
        client.send("SIR\r\n")
        assert await client.line() == "S S       0.00 g"
        scale.fail(Fault.OVERLOAD)
        while await client.line() != "S +":
            pass
        scale.fail(Fault.SILENCE)
        await asyncio.sleep(0.03)
        while client.reader._buffer:  # type: ignore[attr-defined]
            await client.line()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.line(), 0.05)
        scale.fail(Fault.NOISE)
        assert len(await client.reader.readexactly(40)) == 40


async def test_noise_is_the_same_for_the_same_seed() -> None:
    async def noise(seed: int) -> bytes:
        scale = simulated(seed=seed)
        async with talking(scale) as client:
            scale.fail("noise")
            client.send("SI\r\nI4\r\n")
            return await client.reader.readexactly(40)

    assert await noise(1) == await noise(1)
    assert await noise(1) != await noise(2)


async def test_overload_on_command() -> None:
    scale = simulated()
    async with talking(scale) as client:
        scale.fail("overload")
        assert await client.ask("SI") == "S +"
        assert await client.ask("S") == "S +"
        scale.recover()
        assert await client.ask("SI") == "S S       0.00 g"


def test_other_faults_and_units_are_refused() -> None:
    with pytest.raises(BadDriverSettings, match="no fault flood: choose from silence, noise, over"):
        simulated().fail("flood")
    with pytest.raises(
        BadDriverSettings, match="simulated scale cannot show m³/h: choose from g, kg"
    ):
        simulated(unit="m³/h")


# ---- physics on the line


@pytest.mark.parametrize("seed", [1, 2])
async def test_equal_seeds_give_equal_indications(seed: int) -> None:
    async def run(own_seed: int) -> list[str]:
        scale = simulated(seed=own_seed, noise=0.05)
        scale.place(Decimal(100))
        async with talking(scale) as client:
            return [await client.ask("SI") for _ in range(20)]

    assert await run(seed) == await run(seed)
    assert await run(seed) != await run(seed + 1)


async def test_the_zero_key_and_the_errors_act_on_what_is_shown() -> None:
    scale = simulated(span_error_ppm=Decimal(200))
    async with talking(scale) as client:
        scale.place(Decimal(10))
        await scale.zero()
        scale.place(Decimal(510))
        assert await client.ask("SI") == "S S     500.10 g"


# ---- lines


@asynccontextmanager
async def device(path: str) -> AsyncIterator[Client]:
    """Open a device file as a terminal program would."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(descriptor)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    reading, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(descriptor), "rb", 0)
    )
    writing, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, os.fdopen(descriptor, "wb", 0)
    )
    try:
        yield Client(reader, asyncio.StreamWriter(writing, protocol, reader, loop))
    finally:
        reading.close()
        writing.close()


async def test_a_device_file_comes_and_goes_and_keeps_its_name(tmp_path: Path) -> None:
    link = tmp_path / "scale"
    scale = simulated()
    for load in (1, 2, 3):
        scale.place(Decimal(load))
        assert await scale.start(f"pty:{link}") == str(link)
        assert str(link.readlink()).startswith("/dev/pts/")
        for _ in range(2):  # readers may come and go
            async with device(str(link)) as client:
                assert await client.ask("SI") == f"S S       {load}.00 g"
        await scale.stop()
        assert not link.is_symlink()
    assert (await scale.start()).startswith("/dev/pts/")
    await scale.stop()
    await scale.stop()


async def test_a_link_left_by_a_program_that_was_killed_is_taken_over(tmp_path: Path) -> None:
    link = tmp_path / "scale"
    link.symlink_to("/dev/pts/no-more")
    scale = simulated()
    await scale.start(f"pty:{link}")
    async with device(str(link)) as client:
        assert await client.ask("I1") == 'I1 A "01"'
    await scale.stop()


async def test_a_link_that_another_took_over_is_left_alone(tmp_path: Path) -> None:
    link = tmp_path / "scale"
    first, second = simulated(serial="first"), simulated(serial="second")
    await first.start(f"pty:{link}")
    await second.start(f"pty:{link}")
    await first.stop()
    async with device(str(link)) as client:
        assert await client.ask("I4") == 'I4 A "second"'
    await second.stop()


async def test_names_that_are_not_ours_are_never_replaced(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    file, link = tmp_path / "file", tmp_path / "usb-FTDI"
    file.write_text("kept")
    link.symlink_to("/dev/ttyUSB0")
    for place, reason in (
        (file, "File exists"),
        (link, "File exists"),
        (tmp_path / "no" / "x", "No such file"),
    ):
        with pytest.raises(LinkLost, match=rf"cannot be linked at {place} \({reason}"):
            await simulated().start(f"pty:{place}")
    assert file.read_text() == "kept"
    assert str(link.readlink()) == "/dev/ttyUSB0"
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize(
    "port",
    [
        *("", "tcp", "tcp://", "tcp://127.0.0.1", "tcp://127.0.0.1:x", "tcp://127.0.0.1:65536"),
        *("socket://h:1", "/dev/x"),
    ],
)
async def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(BadDriverSettings, match="is no port for a simulated scale: write pty"):
        await simulated().start(port)


async def test_a_port_that_is_taken_is_named() -> None:
    first = simulated()
    number = (await first.start(TCP)).rpartition(":")[2]
    with pytest.raises(LinkLost, match=rf"cannot listen on 127\.0\.0\.1:{number} \(.+\): choose"):
        await simulated().start(f"tcp://127.0.0.1:{number}")
    await first.stop()
