"""One connection to an MQTT broker, made and ended cleanly.

Knows aiomqtt, MQTT 5 with 3.1.1 behind it, what cancelling leaves open, and what a broker does not
permit. Refuses to know what is said over the connection.
"""

import asyncio
import logging
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import aiomqtt
from aiomqtt import Message, MqttCodeError, MqttError, ProtocolVersion, Will
from paho.mqtt.enums import LogLevel
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from broker.address import BrokerAddress
from broker.failure import BrokerAway, NotPermitted, TakenOver
from broker.secure_line import explain, explain_silence, secure_context

__all__ = [
    "Client",
    "Connector",
    "Message",
    "MqttError",
    "Will",
    "batches",
    "client_id",
    "first",
    "taken_over",
]

_UNSUPPORTED_VERSION = (132, 1)
"""What brokers answer to a version they do not speak: MQTT 5's reason code, and 3.1.1's."""
_SESSION_KEPT = 30 * 24 * 3600
"""How long [s] a broker is asked to keep messages for a records system that is away."""
_QUEUE = 4096
"""Most messages that wait here; one that is dropped has no receipt and comes again."""
_INFLIGHT = 1024
"""Most messages that wait for an acknowledgement; the usual 20 are 500 a second at 40 ms."""

_TAKEN_OVER = 142
"""MQTT 5: somebody else has connected with our client identifier."""
_REFUSED = 128
"""Reason codes from here on are refusals."""

logging.getLogger("mqtt").addFilter(  # a line that breaks is our own news, in our own words
    lambda record: not str(record.msg).startswith("failed to receive")
)

_T = TypeVar("_T")

Refusal = Callable[[str, NotPermitted], None]
"""Told the topic and the reason when a broker does not take what we publish."""


class HungUp(MqttError):
    """The broker closed the line instead of answering."""


class Client(aiomqtt.Client):
    """aiomqtt's client, whose waiting always ends: when it is cancelled, and when the broker goes."""

    def __init__(self, *arguments: Any, refused: Refusal | None = None, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._refused = refused
        self.trouble = ""
        """What was heard on the line instead of an answer."""
        self._client.on_log = self._hear_trouble  # only until there is an answer: it costs time

    def _hear_trouble(self, _client: Any, _userdata: Any, level: int, text: str) -> None:
        if level == LogLevel.MQTT_LOG_ERR:
            self.trouble = text

    def _on_connect(self, *arguments: Any, **more: Any) -> None:
        self._client.on_log = None
        super()._on_connect(*arguments, **more)

    def _on_disconnect(self, *arguments: Any, **more: Any) -> None:
        if not self._connected.done():  # aiomqtt would wait for its timeout
            self._connected.set_exception(HungUp("hung up"))
            self._connected.exception()  # looked at, where nobody waits for it any more
            return
        super()._on_disconnect(*arguments, **more)

    def _on_publish(
        self, client: Any, userdata: Any, mid: int, reason_code: Any, properties: Any
    ) -> None:
        if self._refused is not None and reason_code.value >= _REFUSED:
            sent = self._client._out_messages.get(mid)  # noqa: SLF001 - it is forgotten after this
            error = NotPermitted(
                "the broker does not let us publish here ({why}): look at its access file",
                why=reason_code,
            )
            self._refused("?" if sent is None else sent.topic, error)
        super()._on_publish(client, userdata, mid, reason_code, properties)

    def _on_socket_register_write(self, client: Any, userdata: Any, sock: Any) -> None:
        # aiomqtt gives the number of the descriptor to the loop's next turn: the socket may be closed
        # by then, or its number another file's.
        self._loop.call_soon_threadsafe(self._write_when_possible, client, sock)

    def _write_when_possible(self, client: Any, sock: Any) -> None:
        def write() -> None:
            try:
                client.loop_write()
            except Exception as error:  # noqa: BLE001 - whatever it is, the line is broken
                if not self._disconnected.done():
                    self._disconnected.set_exception(error)

        if sock.fileno() >= 0 and client._registered_write:  # noqa: SLF001 - or it was sent meanwhile
            self._loop.add_writer(sock, write)

    async def _wait_for(self, fut: Awaitable[_T], timeout: float | None) -> _T:
        # aiomqtt uses asyncio.wait_for, which before Python 3.12 loses a cancellation that meets
        # the result: a publisher that was told to stop went on for ever.
        try:
            async with asyncio.timeout(self.timeout if timeout is None else timeout):
                return await fut
        except TimeoutError:
            raise MqttError("Operation timed out") from None

    async def publish_all(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Publish with QoS 1, in order, and wait until the broker has taken all of them.

        One wait for all: aiomqtt's own ``publish`` costs a task and a timeout for each. On a slow
        line it may take long; a dead line is noticed by the keepalive, and ends whoever waits.
        """
        awaited = _Countdown()
        numbers = []
        try:
            for topic, body in messages:
                sent = self._client.publish(topic, body, 1)
                if sent.rc:
                    raise MqttCodeError(sent.rc, "Could not publish message")
                awaited.left += 1
                numbers.append(sent.mid)
                self._pending_publishes[sent.mid] = awaited
            if numbers:
                await awaited.over.wait()
        finally:
            for number in numbers:
                self._pending_publishes.pop(number, None)

    def acknowledge(self, messages: Iterable[Message]) -> None:
        """Tell the broker that these were dealt with, where that is left to us."""
        for message in messages:
            self._client.ack(message.mid, message.qos)

    def arrived(self, limit: int) -> list[Message]:
        """Return what has arrived by now, up to ``limit`` messages, without waiting."""
        found: list[Message] = []
        with suppress(asyncio.QueueEmpty):
            while len(found) < limit:
                found.append(self._queue.get_nowait())
        return found


class _Countdown(asyncio.Event):
    """What aiomqtt sets once for each message; over when it was set for all."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 0
        self.over = asyncio.Event()

    def set(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.over.set()


class Connector:
    """Makes connections to one broker and remembers which version it speaks."""

    def __init__(self, address: BrokerAddress) -> None:
        self.address = address
        self._version = ProtocolVersion.V311 if address.protocol == "3.1.1" else ProtocolVersion.V5
        self._answered = False

    @property
    def version(self) -> str:
        """Return the MQTT version in use: 5 or 3.1.1."""
        return "5" if self._version is ProtocolVersion.V5 else "3.1.1"

    @asynccontextmanager
    async def connect(
        self,
        client_id: str,
        *,
        will: Will | None = None,
        keep_session: bool = False,
        refused: Refusal | None = None,
    ) -> AsyncIterator[Client]:
        """Connect until the block ends; BrokerAway when that is not possible.

        With ``keep_session`` the broker keeps what arrives while we are away, and what arrived is
        kept there until it is acknowledged: so no more comes than can be dealt with. ``refused`` is
        told what an MQTT 5 broker does not let us publish; over 3.1.1 nobody learns it.
        """
        try:
            client = await self._open(client_id, will, keep_session, refused)
        except MqttError as error:
            if not self._try_older(error):
                raise self._away(error) from error
            try:
                client = await self._open(client_id, will, keep_session, refused)
            except MqttError as again:
                raise self._away(again) from again
        self._answered = True
        try:
            yield client
        finally:
            with suppress(MqttError):
                await client.__aexit__(None, None, None)
            _close_socket(client)

    async def _open(
        self, client_id: str, will: Will | None, keep_session: bool, refused: Refusal | None
    ) -> Client:
        address, five = self.address, self._version is ProtocolVersion.V5
        secure = None if address.tls is None else secure_context(address.tls)
        client = Client(
            address.host,
            address.port,
            username=address.username,
            password=address.password,
            identifier=client_id,
            protocol=self._version,
            will=will,
            clean_session=None if five else not keep_session,
            clean_start=not keep_session if five else 3,  # 3: paho's default, for 3.1.1
            properties=_asked(_SESSION_KEPT if keep_session else 0) if five else None,
            keepalive=20,
            max_queued_incoming_messages=_QUEUE,
            max_inflight_messages=_INFLIGHT,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            tls_context=secure,
            refused=refused,
        )
        client.pending_calls_threshold = _QUEUE
        client._client.manual_ack_set(keep_session)  # noqa: SLF001 - aiomqtt has no word for it
        entering = asyncio.ensure_future(client.__aenter__())
        try:
            await asyncio.shield(entering)
        except asyncio.CancelledError:
            # The socket is opened in a thread: what was begun there must end before it is closed.
            while not entering.done() and client._client.socket() is None:  # noqa: SLF001
                await asyncio.wait({entering}, timeout=0.05)
            entering.cancel()
            await asyncio.wait({entering})
            _close_socket(client)
            raise
        except MqttError as error:
            _close_socket(client)
            insecure = None
            if secure is not None:  # aiomqtt keeps what the ssl module raised as the context only
                insecure = explain(error.__context__, client.trouble, address)
            raise insecure or error from None
        except BaseException:
            _close_socket(client)
            raise
        return client

    def _try_older(self, error: MqttError) -> bool:
        """Turn to 3.1.1 when a broker does not want 5; True when it should be tried at once."""
        if self.address.protocol != "auto" or self._version is not ProtocolVersion.V5:
            return False
        if isinstance(error, MqttCodeError):
            code = getattr(error.rc, "value", error.rc)
            refused = code in _UNSUPPORTED_VERSION
        else:  # some old brokers are silent or hang up; refused connections say so in words
            silent = isinstance(error, HungUp) or "timed out" in str(error)
            refused = not self._answered and silent
        if refused:
            self._version = ProtocolVersion.V311
        return refused

    def _away(self, error: MqttError) -> BrokerAway:
        if isinstance(error, HungUp):
            return explain_silence(self.address)
        return BrokerAway(
            "the MQTT broker at {host}:{port} did not accept a connection: {why}",
            host=self.address.host,
            port=self.address.port,
            why=error,
        )


async def batches(client: Client, limit: int) -> AsyncIterator[list[Message]]:
    """Yield what has arrived, up to ``limit`` messages together; MqttError when the line ends."""
    try:
        async for first in client.messages:
            yield [first, *client.arrived(limit - 1)]
    except MqttError as error:
        code = getattr(error.__cause__, "rc", None)
        if getattr(code, "value", code) != _TAKEN_OVER:
            raise
        raise TakenOver(
            "somebody else has connected to the broker under our identifier: its log says who"
        ) from None


def taken_over(error: BaseException) -> TakenOver | None:
    """Return what says that a line broke because somebody else has connected as us (MQTT 5)."""
    if isinstance(error, BaseExceptionGroup):
        return next((found for e in error.exceptions if (found := taken_over(e))), None)
    return error if isinstance(error, TakenOver) else None


def client_id(address: BrokerAddress, name: str) -> str:
    """Return a fresh client identifier: two programs never push each other out, nobody guesses it."""
    return f"{address.client_id}-{name}-{uuid.uuid4().hex[:8]}"


def first(error: BaseException) -> BaseException:
    """Return one error out of a group of them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _asked(kept: int) -> Properties:
    """Ask for a session that is kept [s], and for many messages before their acknowledgement."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has no types
    properties.SessionExpiryInterval = kept
    properties.ReceiveMaximum = _INFLIGHT
    return properties


def _close_socket(client: Client) -> None:
    """Close what aiomqtt leaves open after a failed or broken connection."""
    client._client._sock_close()  # noqa: SLF001
    lost = client._disconnected  # noqa: SLF001
    if lost.done() and not lost.cancelled():
        lost.exception()  # looked at, or asyncio complains when it is thrown away
