"""The peers of a benchmark, in a process of their own: ``peers.py meters COUNT`` or ``broker``.

Prints one line, ``ready NAME PORT...``, and serves on the loopback until its standard input ends.
The meters are libmodbus's server, which is faster and steadier than the simulated meters of
`drivers`; those stand in where libmodbus is missing. Values never change: nobody looks at them.
"""

import asyncio
import ctypes
import selectors
import socket
import sys
from contextlib import AsyncExitStack
from decimal import Decimal

from broker.embedded import embedded_broker
from drivers.register_encoding import encode
from drivers.register_map import load_map
from drivers.simulated_meter import SimulatedMeter
from tests import libmodbus_server

MAP = "endress-hauser-promass"
SHOWN = {
    "mass_flow": Decimal("7031.4862"),
    "volume_flow": Decimal("7.0431907"),
    "temperature": Decimal("28.415"),
    "totalizer_1": Decimal("104276.38"),
    "system_condition": Decimal(1),
}


def libmodbus_meters(library: ctypes.CDLL, count: int) -> None:
    """Serve the same registers on ``count`` ports."""
    mapping = library.modbus_mapping_new(0, 0, 10_000, 0)
    for register in load_map(MAP).registers:
        for offset, word in enumerate(encode(register, SHOWN[register.quantity])):
            mapping.contents.tab_registers[register.address + offset] = word
    ready = selectors.DefaultSelector()
    ready.register(sys.stdin, selectors.EVENT_READ, "end")
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    for listener in listeners:
        ready.register(listener, selectors.EVENT_READ, "listener")
    say_ready("libmodbus", [listener.getsockname()[1] for listener in listeners])
    query = ctypes.create_string_buffer(260)
    while True:
        for key, _ in ready.select():
            if key.data == "end":
                return
            if key.data == "listener":
                client, _ = key.fileobj.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                context = library.modbus_new_tcp(b"127.0.0.1", 0)
                library.modbus_set_socket(context, client.fileno())
                ready.register(client, selectors.EVENT_READ, context)
            elif (length := library.modbus_receive(key.data, query)) > 0:
                library.modbus_reply(key.data, query, length, mapping)
            elif length < 0:
                ready.unregister(key.fileobj)
                key.fileobj.close()


async def simulated_meters(count: int) -> None:
    """Serve simulated meters on ``count`` ports."""
    async with AsyncExitStack() as stack:
        ports = []
        for _ in range(count):
            meter = SimulatedMeter(MAP)
            meter.set_flow(7)
            ports.append(int((await meter.start()).rpartition(":")[2]))
            stack.push_async_callback(meter.stop)
        say_ready("simulated-meters", ports)
        await asyncio.to_thread(sys.stdin.read)


async def broker() -> None:
    """Serve the embedded broker."""
    async with embedded_broker() as address:
        say_ready("amqtt", [address.port])
        await asyncio.to_thread(sys.stdin.read)


def say_ready(name: str, ports: list[int]) -> None:
    """Tell who waits for it what runs where."""
    print("ready", name, *ports, flush=True)


def main() -> None:
    """Serve what is asked for."""
    if sys.argv[1] == "broker":
        asyncio.run(broker())
        return
    count = int(sys.argv[2])
    try:
        library = libmodbus_server.load()
    except OSError:
        asyncio.run(simulated_meters(count))
    else:
        libmodbus_meters(library, count)


if __name__ == "__main__":
    main()
