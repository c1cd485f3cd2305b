"""What one writes in an afternoon: poll with pymodbus, unpack, publish one JSON with aiomqtt.

It reads the same telegrams as the station and does none of the rest: no owner of a line, no
exact digits, no back-off, no faults named, no outbox; the first error ends it.
"""

import asyncio
import json
import logging
import struct
import time
from datetime import UTC, datetime
from typing import Any

from aiomqtt import Client
from pymodbus.client import AsyncModbusTcpClient

from benchmarks.window import Window, task

FIELDS = (  # address, registers, quantities with their units
    (2006, 4, (("mass_flow", "kg/h"), ("volume_flow", "m³/h"))),
    (2016, 2, (("temperature", "°C"),)),
    (2609, 2, (("totalizer_1", "kg"),)),
)
STATUS, IN_ORDER = 6858, 1

published = 0
ended = False  # a flag: cancelling a pymodbus request may be swallowed before Python 3.12


async def poll(name: str, port: int, interval: float, mqtt: Client) -> None:
    global published
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()
    due = time.monotonic()
    while not ended:
        status = await client.read_holding_registers(STATUS, count=1)
        for address, count, quantities in FIELDS:
            answer = await client.read_holding_registers(address, count=count)
            arrived_ns = time.monotonic_ns()
            if status.registers[0] != IN_ORDER:
                continue
            for index, (quantity, unit) in enumerate(quantities):
                low, high = answer.registers[2 * index : 2 * index + 2]
                sample = {
                    "time": datetime.now(UTC).isoformat(),
                    "instrument": name,
                    "quantity": quantity,
                    "value": struct.unpack(">f", struct.pack(">HH", high, low))[0],
                    "unit": unit,
                    "arrived_ns": arrived_ns,
                }
                await mqtt.publish(f"meters/{name}/{quantity}", json.dumps(sample))
                published += 1
        due = max(due + interval, time.monotonic())
        await asyncio.sleep(due - time.monotonic())


async def main(wanted: dict[str, Any]) -> None:
    global ended
    logging.getLogger("mqtt").setLevel(logging.ERROR)  # a line per publish while many wait
    async with Client("127.0.0.1", wanted["mqtt"]) as mqtt, asyncio.TaskGroup() as group:
        for name, port in wanted["meters"].items():
            group.create_task(poll(name, port, wanted["interval"], mqtt))
        await asyncio.sleep(wanted["settle"])
        window = Window(published)
        await asyncio.sleep(wanted["seconds"])
        window.close(published)
        ended = True


if __name__ == "__main__":
    asyncio.run(main(task()))
