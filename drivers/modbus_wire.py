"""The only door to pymodbus: one Modbus line as a client, one as a server.

Knows pymodbus 3.16.1, its framers and its quirks. Refuses to know units in trouble, pauses, queues
and meaning: `drivers.modbus` decides what to ask and when, this asks once and says what came.
"""

import asyncio
import logging
import termios
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal, Protocol, Self, cast

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import ModbusException, ModbusIOException
from pymodbus.framer import FRAMER_NAME_TO_CLASS, FramerType
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest
from pymodbus.server import ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData, SimDevice
from pymodbus.transaction import TransactionManager
from pymodbus.transport import CommParams, CommType
from pymodbus.transport.serialtransport import SerialTransport

from drivers.modbus_address import LineSettings
from drivers.simulated_line import stop_listening

# Every fault is raised as an error of ours; pymodbus would print it a second time to stderr.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)

Kind = Literal["holding", "input"]
_FUNCTION = {"holding": 3, "input": 4}


class Tee(Protocol):
    """Takes a copy of what happens on a line: ``received``, ``sent``, ``opened``, ``lost``."""

    def __call__(self, direction: str, data: bytes, at_ns: int, /) -> None: ...


class Outcome(Enum):
    """What became of one request."""

    REGISTERS = "registers"
    EXCEPTION = "exception"
    SILENCE = "silence"
    """Nothing that looks like an answer came in time."""
    GARBLED = "garbled"
    """Bytes came, but no frame of this protocol from this unit."""
    FOREIGN = "foreign"
    """A sound frame that cannot be the answer: other unit, function, transaction or count."""
    LOST = "lost"
    """The line went away while waiting."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The outcome of one request with its evidence."""

    outcome: Outcome
    registers: tuple[int, ...]
    """Raw 16-bit registers; empty unless the outcome is REGISTERS."""
    code: int
    """Modbus exception code; 0 unless the outcome is EXCEPTION."""
    detail: str
    """What was wrong, in a few words."""
    sent_ns: int
    """Monotonic clock [ns] just before the request was handed to the line."""
    arrived_ns: int
    """Monotonic clock [ns] when the outcome was known."""


class _Answers(DecodePDU):
    """Decodes answers to reads whose length is what they say themselves; pymodbus ignores a rest."""

    def __init__(self) -> None:
        super().__init__(False)

    def decode(self, frame: bytes) -> ModbusPDU | None:
        function = frame[0] & 0x7F
        if function in _FUNCTION.values():
            length = 2 if frame[0] & 0x80 else 2 + frame[1] if len(frame) > 1 else 0
            if len(frame) != length or (length - 2) % 2:
                raise ModbusIOException("the answer is longer or shorter than it says")
        return super().decode(frame)


class _Transactions(TransactionManager):
    """pymodbus's transaction manager with our ear on the line and without its own reconnection."""

    def __init__(self, settings: LineSettings, tee: Tee | None) -> None:
        serial = settings.mode == "rtu"
        params = CommParams(
            comm_type=CommType.SERIAL if serial else CommType.TCP,
            comm_name=settings.host,
            host=settings.host,
            port=settings.port,
            reconnect_delay=0.0,  # falsy: reconnection is ours
            baudrate=settings.baudrate,
            bytesize=int(settings.framing[0]),
            parity=settings.framing[1],
            stopbits=int(settings.framing[2]),
        )
        framer = FramerType.SOCKET if settings.mode == "tcp" else FramerType.RTU
        super().__init__(
            params, FRAMER_NAME_TO_CLASS[framer](_Answers()), 0, False, None, None, None
        )
        # pymodbus closes a line after retries+3 silent requests; when to close is decided above.
        self.max_until_disconnect = self.count_until_disconnect = 1 << 62
        if serial:
            self.call_create = self._open_serial
        self.tee = tee
        self.received = 0
        self.last_byte_ns = self.received_ns = self.sent_ns = 0
        self.unreadable = 0
        self.waiting = False

    async def _open_serial(self) -> tuple[SerialTransport, Self]:
        # pymodbus opens serial ports on the event loop; a slow adapter would stop every bench.
        params = self.comm_params
        opening = asyncio.ensure_future(
            asyncio.to_thread(
                SerialTransport,
                self.loop,
                self,
                params.host,
                params.baudrate,
                params.bytesize,
                params.parity,
                params.stopbits,
                0,
            )
        )
        try:
            transport = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_unused)
            raise
        transport.setup()
        return transport, self

    def ask(self, request: ModbusPDU) -> "asyncio.Future[ModbusPDU]":
        """Send a request and return its answer to be; pymodbus's own way would connect anew."""
        request.transaction_id = self.getNextTID()
        self.recv_buffer = b""
        self.response_future = self.loop.create_future()
        self.pdu_send(request)
        return self.response_future

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        self.last_byte_ns = self.received_ns = time.monotonic_ns()
        if self.tee:
            self.tee("received", data, self.received_ns)
        super().data_received(data)

    def send(self, data: bytes, addr: tuple[str, int] | None = None) -> None:
        self.last_byte_ns = self.sent_ns = time.monotonic_ns()
        if self.tee:
            self.tee("sent", data, self.sent_ns)
        super().send(data, addr)

    def callback_data(self, data: bytes, addr: tuple[str, int] | None = None) -> int:
        # A frame that cannot be decoded would otherwise end in the event loop's exception handler.
        try:
            return super().callback_data(data, addr)
        except ModbusException:
            self.unreadable += 1
            return len(data)

    def callback_disconnected(self, exc: Exception | None) -> None:
        # pymodbus lets a waiting request run into its timeout when the line goes away.
        if self.waiting and not self.response_future.done():
            self.response_future.set_exception(ConnectionResetError(str(exc or "closed by peer")))


def _close_unused(opening: "asyncio.Future[SerialTransport]") -> None:
    """Close a port that opened after everybody had stopped waiting for it."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


class ModbusLine:
    """One open Modbus line as a client; a closed line is thrown away, never reopened."""

    def __init__(self, settings: LineSettings, *, tee: Tee | None = None) -> None:
        self._settings = settings
        self._ctx = _Transactions(settings, tee)

    @property
    def connected(self) -> bool:
        """Say whether the line is open."""
        return self._ctx.is_active()

    @property
    def last_byte_ns(self) -> int:
        """Monotonic clock [ns] of the last byte in either direction, 0 before the first."""
        return self._ctx.last_byte_ns

    @property
    def ends_here(self) -> bool:
        """Say whether the other end of an open TCP line has an address of this machine."""
        if self._settings.mode == "rtu" or not self._ctx.is_active():
            return False
        sock = self._ctx.transport.get_extra_info("socket")
        try:
            return bool(sock.getpeername()[0] == sock.getsockname()[0])
        except (OSError, AttributeError):  # the line went away meanwhile
            return False

    async def connect(self, timeout: float) -> None:
        """Open the line within ``timeout`` [s]; raise OSError or ValueError saying why not."""
        self._ctx.is_closing = False
        try:
            self._ctx.transport, _ = await asyncio.wait_for(self._ctx.call_create(), timeout)
        except TimeoutError:
            raise TimeoutError(f"no connection within {timeout:g} s") from None
        except termios.error as exc:
            raise OSError(str(exc)) from exc
        # pymodbus attaches a serial port one loop turn later; closing before that would break it.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def close(self) -> None:
        """Close the line; anything that arrives later is gone."""
        self._ctx.close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def read(
        self, unit: int, kind: Kind, address: int, count: int, *, timeout: float
    ) -> Reply:
        """Send one read request and wait at most ``timeout`` [s] for its answer."""
        ctx = self._ctx
        request_class = (
            ReadHoldingRegistersRequest if kind == "holding" else (ReadInputRegistersRequest)
        )
        request = request_class(address=address, count=count, dev_id=unit)
        heard, unreadable = ctx.received, ctx.unreadable
        began_ns = time.monotonic_ns()
        outcome, code, detail = Outcome.SILENCE, 0, "silent"
        registers: tuple[int, ...] = ()
        if not ctx.is_active():
            return Reply(Outcome.LOST, (), 0, "the line was closed", began_ns, began_ns)
        ctx.waiting = True
        try:
            async with asyncio.timeout(timeout):
                response = await ctx.ask(request)
        except ConnectionError as exc:
            outcome, detail = Outcome.LOST, str(exc)
        except TimeoutError:
            if not ctx.is_active():
                outcome, detail = Outcome.LOST, "the line was closed"
            elif ctx.unreadable > unreadable:
                outcome, detail = Outcome.GARBLED, "a frame that cannot be decoded"
            elif ctx.received > heard:
                outcome, detail = Outcome.GARBLED, f"{ctx.received - heard} bytes, no whole frame"
        else:
            outcome, registers, code, detail = _judged(request, response, count)
        finally:
            ctx.waiting = False
        # The times of the bytes themselves, as a capture has them.
        sent_ns = max(began_ns, ctx.sent_ns)
        answered = outcome in (Outcome.REGISTERS, Outcome.EXCEPTION)
        ended_ns = ctx.received_ns if answered else time.monotonic_ns()
        return Reply(outcome, registers, code, detail, sent_ns, ended_ns)


def _judged(
    request: ModbusPDU, response: ModbusPDU, count: int
) -> tuple[Outcome, tuple[int, ...], int, str]:
    """Compare an answer with its request: pymodbus compares neither function nor count."""
    function = response.function_code & 0x7F
    if response.dev_id != request.dev_id:
        return Outcome.FOREIGN, (), 0, f"unit {response.dev_id}"
    if function != request.function_code:
        return Outcome.FOREIGN, (), 0, f"function {function}"
    if response.transaction_id != request.transaction_id:
        return Outcome.FOREIGN, (), 0, f"transaction {response.transaction_id}"
    if response.function_code & 0x80:
        return Outcome.EXCEPTION, (), cast(ExceptionResponse, response).exception_code, ""
    if len(response.registers) != count:
        return Outcome.FOREIGN, (), 0, f"{len(response.registers)} registers"
    return Outcome.REGISTERS, tuple(response.registers), 0, ""


@dataclass(frozen=True, slots=True)
class Telegram:
    """What a request that was written down asked for."""

    unit: int
    kind: Kind
    address: int
    count: int


class WrittenTelegrams:
    """Requests and answers read again from a capture, by the framer that read them on the line."""

    def __init__(self, *, rtu: bool) -> None:
        framer = FRAMER_NAME_TO_CLASS[FramerType.RTU if rtu else FramerType.SOCKET]
        self._requests, self._answers = framer(DecodePDU(True)), framer(DecodePDU(False))

    def asked(self, request: bytes) -> Telegram | None:
        """Say what a request asked for; None when it is no request to read registers."""
        _, pdu = self._requests.handleFrame(request, 0, 0)
        kinds = {number: kind for kind, number in _FUNCTION.items()}
        if pdu is None or pdu.function_code not in kinds:
            return None
        kind = cast(Kind, kinds[pdu.function_code])
        return Telegram(pdu.dev_id, kind, pdu.address, pdu.count)

    def answered(
        self, request: bytes, answer: bytes
    ) -> tuple[Outcome, tuple[int, ...], int, str] | None:
        """Say what the answer to a request is; None while it is not whole."""
        _, asked = self._requests.handleFrame(request, 0, 0)
        try:
            _, pdu = self._answers.handleFrame(answer, 0, 0)
        except ModbusException:
            return Outcome.GARBLED, (), 0, "a frame that cannot be decoded"
        if asked is None or pdu is None:
            return None
        return _judged(asked, pdu, asked.count)


@dataclass(frozen=True, slots=True)
class Manners:
    """How a served unit answers at this moment; the default is a healthy unit."""

    silent: bool = False
    delay: float = 0.0
    """Pause before each reply leaves [s]."""
    exception: int = 0
    """Modbus exception code to answer with; 0 for none."""
    damage: Callable[[bytes], bytes] | None = None
    """What the line does to each frame on its way out; None lets it through."""


class Registers(Protocol):
    """One unit behind a server: its address blocks, its registers now, its manners now."""

    def blocks(self) -> Mapping[int, int]:
        """Give first wire address and length of each block of readable registers."""

    def registers(self, address: int, count: int) -> list[int]:
        """Give the registers as they are at this instant."""

    def manners(self) -> Manners:
        """Say how the unit answers at this instant."""

    def hear(self) -> bool:
        """Hear a request; say whether the unit was awake to take it."""


class _Handler(ServerRequestHandler):
    """One client's connection: knows silence, late replies and units that are not there."""

    server: "RegisterServer"
    _damage: Callable[[bytes], bytes] | None = None

    def send(self, data: bytes, addr: tuple[str, int] | None = None) -> None:
        if heard := self._damage(data) if self._damage else data:
            super().send(heard, addr)

    async def handle_request(self) -> None:
        if self.last_pdu and self.last_pdu.dev_id not in self.server.units:
            if self.server.rtu:
                return  # on a serial line nobody answers for an absent unit
            absent = ExceptionResponse(
                self.last_pdu.function_code,
                ExcCodes.GATEWAY_NO_RESPONSE,
                self.last_pdu.dev_id,
                self.last_pdu.transaction_id,
            )
            self.server_send(absent, self.last_addr)
            return
        if self.last_pdu and not self.server.units[self.last_pdu.dev_id].hear():
            return
        await super().handle_request()  # type: ignore[no-untyped-call]  # pymodbus

    def server_send(self, pdu: ModbusPDU, addr: tuple[str, int] | None) -> None:
        unit = self.server.units.get(pdu.dev_id)
        manners = unit.manners() if unit else Manners()
        if manners.silent:
            return
        self._damage = manners.damage
        if manners.delay > 0:
            self.loop.call_later(manners.delay, self._send_late, pdu, addr)
            return
        super().server_send(pdu, addr)  # type: ignore[no-untyped-call]  # pymodbus

    def _send_late(self, pdu: ModbusPDU, addr: tuple[str, int] | None) -> None:
        if self.is_active():
            super().server_send(pdu, addr)  # type: ignore[no-untyped-call]  # pymodbus


class RegisterServer(ModbusTcpServer):
    """A Modbus server for some units: TCP, RTU over TCP, or RTU on a transport that is given."""

    def __init__(
        self,
        units: Mapping[int, Registers],
        *,
        rtu: bool,
        address: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        self.units = dict(units)
        self.rtu = rtu
        super().__init__(
            [_device(unit, registers) for unit, registers in units.items()],
            framer=FramerType.RTU if rtu else FramerType.SOCKET,
            address=address,
        )

    def callback_new_connection(self) -> _Handler:
        """Make the handler of one client."""
        return _Handler(self, None, None, None)  # type: ignore[no-untyped-call]  # pymodbus

    async def listen_on_tcp(self) -> tuple[str, int]:
        """Listen and give the address in use; raise OSError when it is taken."""
        try:
            server = cast(asyncio.Server, await self.call_create())
        except OSError as exc:
            raise OSError(exc.errno, exc.strerror) from exc
        self.is_listener = True
        self.transport = cast(asyncio.BaseTransport, server)
        host, port = server.sockets[0].getsockname()[:2]
        return host, port

    def attach(self, open_transport: Callable[[asyncio.Protocol], asyncio.Transport]) -> None:
        """Serve one line whose transport calls back into the given protocol."""
        self.is_listener = True
        handler = self.handle_new_connection()
        handler.connection_made(open_transport(cast(asyncio.Protocol, handler)))

    async def stop(self) -> None:
        """Stop listening and drop every client."""
        listener = self.transport
        if isinstance(listener, asyncio.Server):
            await stop_listening(listener)
        clients = [handler.transport for handler in self.active_connections.values()]
        await self.shutdown()  # type: ignore[no-untyped-call]  # pymodbus
        for transport in clients:
            if transport is not None:
                cast(asyncio.Transport, transport).abort()
        await asyncio.sleep(0)
        await asyncio.sleep(0)


def _device(unit: int, registers: Registers) -> SimDevice:
    """Wrap one unit for pymodbus: its registers are fetched anew at each request."""

    async def refresh(
        function: int,
        start: int,
        address: int,
        count: int,
        current: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        if values is not None or function not in _FUNCTION.values():
            return ExcCodes.ILLEGAL_FUNCTION
        if code := registers.manners().exception:
            return ExcCodes(code)
        current[address - start : address - start + count] = registers.registers(address, count)
        return None

    data = [
        SimData(first, values=[0] * length, datatype=DataType.REGISTERS, readonly=True)
        for first, length in registers.blocks().items()
    ]
    return SimDevice(unit, simdata=data, action=refresh)
