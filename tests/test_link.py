"""A line of bytes: real ptys, real sockets, and every way in which they go away."""

import asyncio
import os
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event

import pytest

import drivers.line_end
import drivers.link
from drivers.capture import Capture, read_capture
from drivers.errors import BadDriverSettings, LinkLost
from drivers.indication import Origin
from drivers.link import SerialLink, open_link, origin_of
from tests.wire import Wire

pytestmark = pytest.mark.timeout(20)
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def opened(port: str, **settings: str | int | Capture) -> AsyncIterator[SerialLink]:
    link = open_link(port, **settings)  # type: ignore[arg-type]
    await link.open()
    try:
        yield link
    finally:
        await link.close()


@asynccontextmanager
async def serial_server(serve: Serve, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """Serve connections as a serial server does; give its port."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(connected, host, 0)
    try:
        host, number, *_ = server.sockets[0].getsockname()
        yield f"socket://[{host}]:{number}" if ":" in host else f"socket://{host}:{number}"
    finally:
        server.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(4096):
        writer.write(data)


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    line = writer.get_extra_info("socket")
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def waiting(link: SerialLink, call: Awaitable[object]) -> "asyncio.Future[object]":
    """Start a call and return it once it waits for the line."""
    task = asyncio.ensure_future(call)
    while not link._waiting:
        assert not task.done()
        await asyncio.sleep(0)
    return task


async def unwatched(link: SerialLink) -> bool:
    """Say whether the loop watches the line no longer, once it has had its turn."""
    for _ in range(3):
        await asyncio.sleep(0)
    assert link._port is not None
    return not link._watched and not asyncio.get_running_loop().remove_writer(link._port.fileno())


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def received(link: SerialLink, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += await link.receive()
    return data


# ---- bytes


async def test_bytes_go_both_ways_over_a_pty() -> None:
    async with Wire() as wire, opened(wire.port) as link:
        await link.send(b"SI\r\n")
        assert await wire.read(4) == b"SI\r\n"
        wire.send(b"S S     100.00 g\r\n")
        assert await received(link, 18) == b"S S     100.00 g\r\n"


async def test_every_byte_passes_unchanged() -> None:
    everything = bytes(range(256))
    async with Wire() as wire, opened(wire.port) as link:
        wire.send(everything)
        assert await received(link, 256) == everything
        await link.send(everything)
        assert await wire.read(256) == everything


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_bytes_go_both_ways_over_a_socket(host: str) -> None:
    if host == "::1" and not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")
    everything = bytes(range(256))
    async with serial_server(echo, host) as port, opened(port) as link:
        await link.send(everything)
        assert await received(link, 256) == everything


async def test_more_bytes_than_the_line_holds_are_all_sent_and_written_down_once(
    tmp_path: Path,
) -> None:
    data = os.urandom(200_000)
    path = tmp_path / "line.capture"
    capture = Capture(path)
    async with Wire() as wire, opened(wire.port, capture=capture) as link:
        sending = await waiting(link, link.send(data))
        assert await wire.read(len(data)) == data
        await sending
        assert await unwatched(link)
    capture.close()
    sent = [chunk.data for chunk in read_capture(path) if chunk.direction == "sent"]
    assert b"".join(sent) == data


async def test_bytes_that_came_before_the_line_was_opened_are_not_received() -> None:
    async with Wire() as wire:
        wire.send(b"old\r\n")
        await wire.until_waiting(5)
        async with opened(wire.port) as link:
            wire.send(b"new\r\n")
            assert await received(link, 5) == b"new\r\n"


async def test_both_directions_are_written_down_in_order(tmp_path: Path) -> None:
    path = tmp_path / "line.capture"
    capture = Capture(path)
    async with Wire() as wire, opened(wire.port, capture=capture) as link:
        for n in range(3):
            await link.send(b"SI %d\r\n" % n)
            assert await wire.read(6) == b"SI %d\r\n" % n
            wire.send(b"S I %d\r\n" % n)
            await wire.until_waiting(7)
            assert await link.receive() == b"S I %d\r\n" % n
    with pytest.raises(LinkLost, match="closed"):
        await link.send(b"never left")
    capture.close()
    _, *chunks = read_capture(path)
    wanted = [
        (way, text % n)
        for n in range(3)
        for way, text in (("sent", b"SI %d\r\n"), ("received", b"S I %d\r\n"))
    ]
    assert [(c.direction, c.data) for c in chunks] == [
        ("opened", b""),
        *wanted,
        ("closed", b""),
    ]


async def test_what_became_of_a_line_is_written_down_with_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "line.capture"
    capture = Capture(path)
    async with Wire() as wire:
        link = open_link(wire.port, capture=capture)
        await link.open()
        wire.send(b"S I\r\n")
        await received(link, 5)
        wire.pull()
        with pytest.raises(LinkLost):
            await link.receive()
        await link.close()
    with pytest.raises(LinkLost):
        await link.open()
    capture.close()
    session, opened_, came, gone, closed, refused = read_capture(path)
    assert [c.direction for c in (session, opened_, came)] == ["session", "opened", "received"]
    assert opened_.since_ns == came.since_ns < opened_.monotonic_ns < came.monotonic_ns
    assert (came.monotonic_ns, came.since_ns) == (link.arrived_ns, link.since_ns)
    assert (gone.direction, closed.direction, refused.direction) == ("lost", "closed", "lost")
    assert b"is gone" in gone.data
    assert b"There is no port" in refused.data


async def test_bytes_were_sent_after_the_time_that_the_link_gives() -> None:
    async with Wire() as wire, opened(wire.port) as link:
        before = time.monotonic_ns()
        await link.send(b"SI\r\n")
        after = time.monotonic_ns()
        assert before <= link.sent_ns <= after
        sending = await waiting(link, link.send(b"x" * 200_000))
        await wire.read(200_004)
        await sending
        assert after <= link.sent_ns <= time.monotonic_ns()


@pytest.mark.parametrize(
    ("port", "settings", "least", "most"),
    [
        ("/dev/ttyUSB0", {"baudrate": 9600}, 0.025, 0.035),
        ("/dev/ttyUSB0", {"baudrate": 600, "framing": "8E2"}, 0.1, 0.15),
        ("socket://203.0.113.7:4001", {}, 0.1, 0.11),
    ],
)
def test_a_pause_ends_a_frame_after_a_few_characters_and_what_holds_them_up(
    port: str, settings: dict[str, int | str], least: float, most: float
) -> None:
    assert least < open_link(port, **settings).silence < most  # type: ignore[arg-type]


# ---- when bytes had not yet arrived


async def test_no_byte_had_arrived_before_the_line_was_last_seen_empty() -> None:
    async with Wire() as wire, opened(wire.port) as link:
        for _ in range(3):
            empty = time.monotonic_ns()
            receiving = await waiting(link, link.receive())
            sent = time.monotonic_ns()
            wire.send(b"S I\r\n")
            assert await receiving == b"S I\r\n"
            assert empty <= link.since_ns <= sent


async def test_a_backlog_is_not_taken_for_news() -> None:
    """A tty gives up to 4095 bytes at once; what comes with the next read may be as old."""
    old = b"S S     100.00 g\r\n" * 500
    async with Wire() as wire, opened(wire.port) as link:
        wire.send(old)
        sent = time.monotonic_ns()
        await wire.until_waiting(4095)
        count = 0
        while count < len(old):
            count += len(await link.receive())
            assert link.since_ns <= sent
        receiving = await waiting(link, link.receive())
        wire.send(b"new")
        await receiving
        assert link.since_ns > sent


# ---- going away


@pytest.mark.parametrize(
    ("far_end", "reason"), [(hang_up, "hung up"), (reset, "Connection reset by peer")]
)
async def test_a_server_that_goes_away_is_a_lost_line(far_end: Serve, reason: str) -> None:
    async with serial_server(far_end) as port, opened(port) as link:
        receiving = await waiting(link, link.receive())
        await link.send(b"x")
        with pytest.raises(LinkLost, match=rf"The line to {port} is gone \({reason}\)"):
            await receiving
        assert await unwatched(link)
        with pytest.raises(LinkLost, match="is gone"):
            await link.receive()


async def test_a_pulled_cable_is_noticed_while_waiting() -> None:
    async with Wire() as wire, opened(wire.port) as link:
        receiving = await waiting(link, link.receive())
        wire.pull()
        with pytest.raises(LinkLost, match=f"The line to {wire.port} is gone"):
            await receiving
        assert await unwatched(link)


async def test_a_pulled_cable_is_noticed_at_the_next_call() -> None:
    async with Wire() as wire, opened(wire.port) as link:
        wire.pull()
        with pytest.raises(LinkLost, match="is gone"):
            await link.receive()
        with pytest.raises(LinkLost, match="is gone"):
            await link.send(b"SI\r\n")


async def test_a_pulled_cable_ends_a_send_that_waits() -> None:
    async with Wire() as wire, opened(wire.port) as link:
        sending = await waiting(link, link.send(b"x" * 200_000))
        wire.pull()
        with pytest.raises(LinkLost, match="is gone"):
            await sending


@pytest.mark.parametrize("call", ["receive", "send"])
async def test_closing_wakes_whoever_waits(call: str) -> None:
    async with Wire() as wire, opened(wire.port) as link:
        doing = link.receive() if call == "receive" else link.send(b"x" * 200_000)
        task = await waiting(link, doing)
        await link.close()
        await link.close()
        with pytest.raises(LinkLost, match=r"gone \(closed\)"):
            await task
        with pytest.raises(LinkLost, match=r"gone \(closed\)"):
            await link.receive()


@pytest.mark.parametrize("call", ["receive", "send"])
async def test_cancelling_leaves_no_busy_watch_behind_and_loses_no_byte(call: str) -> None:
    async with Wire() as wire, opened(wire.port) as link:
        doing = link.receive() if call == "receive" else link.send(b"x" * 200_000)
        task = await waiting(link, doing)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not link._waiting
        wire.send(b"S I\r\n")
        await wire.until_waiting(5)
        assert await unwatched(link)
        assert await received(link, 5) == b"S I\r\n"


async def test_bytes_that_were_read_for_one_who_gave_up_are_kept_with_their_times() -> None:
    async with Wire() as wire, opened(wire.port) as link:
        task = await waiting(link, link.receive())
        empty = time.monotonic_ns()
        wire.send(b"S I\r\n")
        while not link._read:  # read, and its receiver has not yet had its turn
            await asyncio.sleep(0)
        read = time.monotonic_ns()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        wire.send(b"later")
        await wire.until_waiting(5)
        assert link.take() == b"S I\r\n"
        assert link.since_ns <= empty <= link.arrived_ns <= read
        assert await received(link, 5) == b"later"


async def test_bytes_that_nobody_takes_do_not_keep_the_loop_busy() -> None:
    async with Wire() as wire, opened(wire.port) as link:
        wire.send(b"S I\r\nS I\r\n")
        await wire.until_waiting(10)
        await link.receive()
        wire.send(b"S I\r\n")
        await wire.until_waiting(5)
        assert await unwatched(link)


async def test_closing_a_socket_holds_nobody_up() -> None:
    """As pyserial's own socket:// does, for 0.3 s."""
    took = []
    async with serial_server(echo) as port:
        for _ in range(3):
            link = open_link(port)
            await link.open()
            began = time.monotonic()
            await link.close()
            took.append(time.monotonic() - began)
    assert min(took) < 0.1


# ---- opening


async def test_a_second_program_hears_that_the_port_is_in_use() -> None:
    async with Wire() as wire:
        second = open_link(wire.port)
        async with opened(wire.port):
            with pytest.raises(
                LinkLost,
                match=f"^The port {wire.port} is in use by another program: end that first.$",
            ):
                await second.open()
        await second.open()
        await second.close()


async def test_opening_an_open_line_opens_it_anew() -> None:
    async with Wire() as wire, opened(wire.port) as link:
        wire.send(b"old")
        await wire.until_waiting(3)
        await link.open()
        wire.send(b"new")
        assert await received(link, 3) == b"new"


NOT_OPENED = [
    ("/dev/tera-no-such-port", "There is no port /dev/tera-no-such-port: check the cable"),
    ("/etc/hostname/x", "There is no port /etc/hostname/x: check the cable"),
    ("/dev/" + "x" * 300, r"cannot be opened \(File name too long\)"),
    ("/dev", r"The port /dev cannot be opened \(Is a directory\): check the port"),
    ("/dev/null", r"The port /dev/null cannot be opened \(Inappropriate ioctl for device\)"),
    ("socket://127.0.0.1:{closed}", r"cannot be opened \(Connection refused\): check the port"),
    ("socket://[::1]:{closed}", r"cannot be opened \(.+\): check the port"),
    ("socket://no-such-host.invalid:4001", r"cannot be opened \([A-Z].+\): check the port"),
]


@pytest.mark.parametrize(("port", "sentence"), NOT_OPENED, ids=[p[:24] for p, _ in NOT_OPENED])
async def test_why_a_port_cannot_be_opened_is_said(port: str, sentence: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as line:
        closed = line.getsockname()[1]
    link = open_link(port.replace("{closed}", str(closed)))
    with pytest.raises(LinkLost, match=sentence) as lost:
        await link.open()
    assert lost.value.evidence["port"] == link.address
    with pytest.raises(LinkLost, match="closed"):
        await link.receive()


async def test_a_port_that_this_user_may_not_open_is_named(tmp_path: Path) -> None:
    port = tmp_path / "port"
    port.touch(mode=0)
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)  # root may open every port, nobody may not
    try:
        with pytest.raises(LinkLost, match="add the user to group dialout"):
            await open_link(str(port)).open()
    finally:
        os.seteuid(me)


async def test_a_server_that_never_accepts_holds_up_nobody_but_its_own_link(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drivers.link, "_CONNECTED_WITHIN", 0.5)
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen(0)
        port = f"socket://127.0.0.1:{busy.getsockname()[1]}"
        async with opened(port):  # fills the queue
            opening = asyncio.ensure_future(open_link(port).open())
            ticks = 0
            while not opening.done():
                await asyncio.sleep(0.01)
                ticks += 1
            assert ticks > 5
            with pytest.raises(LinkLost, match=r"cannot be opened \(timed out\)"):
                await opening


async def test_a_port_whose_opening_was_cancelled_is_closed_again() -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    hung_up = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        assert await reader.read() == b""
        hung_up.set()

    async with Wire() as wire, serial_server(serve) as server:
        for port in (wire.port, server):
            go_on = Event()
            held_up = loop.run_in_executor(None, go_on.wait)
            opening = asyncio.ensure_future(open_link(port).open())
            await asyncio.sleep(0)
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening
            go_on.set()
            await held_up
            await loop.run_in_executor(None, lambda: None)  # the opening is over, and so is its end
        async with opened(wire.port):
            pass
        await hung_up.wait()


async def test_the_line_of_a_link_that_was_let_go_leaves_no_descriptor() -> None:
    async with Wire() as wire, serial_server(echo) as port:
        async with opened(wire.port):
            pass
        before = open_files()
        for _ in range(3):
            async with opened(wire.port):
                with pytest.raises(LinkLost, match="in use"):
                    await open_link(wire.port).open()
            async with opened(port):
                pass
        while open_files() > before:  # the server's ends close a little later
            await asyncio.sleep(0.001)


# ---- settings

FRAMINGS = ["8N1", "7E1", "7O1", "8E1", "8O2", "7N2"]


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_a_pty_takes_every_framing_though_it_has_none(framing: str) -> None:
    async with Wire() as wire:
        for _ in range(2):  # the second time nothing is left to change but what a pty refuses
            async with opened(wire.port, framing=framing, baudrate=1200) as link:
                wire.send(b"\xb0\r\n")
                assert await received(link, 3) == b"\xb0\r\n"


BAD: list[tuple[dict[str, str | int], str]] = [
    *[
        ({"framing": text}, rf"^{text} is no framing: write data bits, parity and stop bits as in")
        for text in ("", "8N", "8n1", "8N3", "6N1", "8X1", "8N1 ", "N81", "9600", "8N1\n")
    ],
    *[
        ({"baudrate": speed}, f"^{speed} is no speed: write the baud rate as in 19200")
        for speed in (0, -9600, 9601, 96000)
    ],
    *[
        ({"port": port}, "is no serial port: write a device path or socket://host:port")
        for port in (
            "socket://",
            "socket://host",
            "socket://:4001",
            "socket://host:",
            "socket://host:0",
            "socket://host:65536",
            "socket://host:99999",
            "socket://host:40o1",
            "socket://host:4001/x",
            "socket://host:4001?logging=debug",
            "tcp://host:4001",
            "rfc2217://host:4001",
            "loop://",
            "://host:4001",
        )
    ],
]


@pytest.mark.parametrize(("settings", "sentence"), BAD, ids=[str(s) for s, _ in BAD])
def test_settings_that_cannot_be_are_refused_before_anything_is_opened(
    settings: dict[str, str | int], sentence: str
) -> None:
    with pytest.raises(BadDriverSettings, match=sentence):
        open_link(**({"port": "/dev/ttyUSB0"} | settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("port", ["socket://host:1", "socket://host:65535", "socket://h:4001/"])
def test_ports_at_the_bounds_are_taken(port: str) -> None:
    assert open_link(port).address == port


# ---- a line that ends here is software


@pytest.mark.parametrize(
    ("port", "local"),
    [
        ("/dev/ttyUSB0", False),
        ("/dev/serial/by-id/usb-FTDI_USB_Serial-if00-port0", False),
        ("socket://203.0.113.7:4001", False),
        ("socket://scale.example:4001", False),
        ("socket://[2001:db8::1]:4001", False),
        ("/dev/pts/77", True),
        ("socket://localhost:4001", True),
        ("socket://127.0.0.1:4001", True),
        ("socket://127.1.2.3:4001/", True),
        ("socket://[::1]:4001", True),
    ],
)
def test_where_a_line_ends_is_told_from_its_name(port: str, local: bool) -> None:
    link = open_link(port)
    assert link.local is local
    assert origin_of(link) is (Origin.SIMULATED if local else Origin.WIRE)


async def test_a_name_given_to_a_pty_after_the_link_was_described_does_not_hide_it(
    tmp_path: Path,
) -> None:
    name = tmp_path / "scale"
    link = open_link(str(name), framing="8E1")
    async with Wire() as wire:
        name.symlink_to(wire.port)
        await link.open()
        assert link.local
        await link.close()
        assert link.local


async def test_a_name_moved_from_a_pty_to_a_device_is_looked_at_again(tmp_path: Path) -> None:
    device = Path("/dev/ttyS0")
    if not device.exists() or not os.access(device, os.R_OK | os.W_OK):
        pytest.skip("this machine has no serial port")
    name = tmp_path / "scale"
    async with Wire() as wire:
        name.symlink_to(wire.port)
        async with opened(str(name)) as link:
            assert link.local
    name.unlink()
    name.symlink_to(device)
    try:
        await link.open()
    except LinkLost as lost:
        pytest.skip(str(lost))
    assert not link.local
    await link.close()


async def test_a_host_name_does_not_hide_that_the_server_is_this_machine() -> None:
    async with serial_server(echo, "127.0.0.1") as port:
        number = port.rpartition(":")[2]
        link = open_link(f"socket://0x7f000001:{number}")
        assert not link.local
        await link.open()
        assert link.local
        await link.close()


async def test_a_loopback_address_that_differs_from_our_own_end_is_still_this_machine() -> None:
    """Debian names the machine itself 127.0.1.1, and the line's near end is 127.0.0.1."""
    async with serial_server(echo, "127.0.1.1") as port:
        number = port.rpartition(":")[2]
        async with opened(f"socket://0x7f000101:{number}") as link:
            assert link.local


async def test_this_machines_outward_address_is_this_machine() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("203.0.113.7", 9))  # nothing is sent
        except OSError:
            pytest.skip("this machine has no network")
        own = probe.getsockname()[0]
    async with serial_server(echo, own) as port, opened(port) as link:
        assert link.local


def test_a_pty_is_known_by_its_device_number() -> None:
    master, slave = os.openpty()
    null = os.open(os.devnull, os.O_RDONLY)
    assert drivers.line_end.ends_here(slave)
    assert not drivers.line_end.ends_here(null)
    for descriptor in (master, slave, null):
        os.close(descriptor)


def test_an_address_of_another_machine_is_not_ours() -> None:
    ours = drivers.line_end.is_an_address_of_ours
    assert ours(socket.AF_INET, ("127.0.0.1", 4001))
    assert not ours(socket.AF_INET, ("203.0.113.7", 4001))
    assert not ours(socket.AF_INET6, ("2001:db8::1", 4001))
