"""Random and mutated bytes through the Modbus client: TCP and RTU framers, and decoding.

    python -m tests.fuzz_modbus --bytes 10000000 [--only tcp|rtu|decode] [--seed N]

Nothing is raised, nothing hangs, buffers are bounded, and registers come only from a frame that
really stood in the input with its unit, function, count and check: a description of the frames that
is written anew here is asked, and not pymodbus.
"""

import argparse
import asyncio
import random
import struct
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from drivers.modbus_address import LineSettings
from drivers.modbus_wire import Kind, ModbusLine, Outcome, Reply
from drivers.pulse_count import PulseCount
from drivers.register_map import load_map, map_ids
from drivers.registers import Register, decode, raw_number

PATIENCE = 0.0005
"""How long the client waits for what was fed to it already [s]."""
HANGS = 2.0
"""An exchange that takes longer hangs, even on a busy machine [s]."""
LONGEST = 4096
"""No buffer grows beyond this [bytes]."""

Mode = Literal["tcp", "rtu"]


@dataclass(frozen=True, slots=True)
class Question:
    """One read request as the fuzzer sees it on the wire."""

    unit: int
    kind: Kind
    address: int
    count: int
    transaction: int

    @property
    def function(self) -> int:
        return 3 if self.kind == "holding" else 4


@dataclass(slots=True)
class Figures:
    """What one run came to."""

    name: str
    bytes: int = 0
    exchanges: int = 0
    seconds: float = 0.0
    outcomes: dict[str, int] = field(default_factory=dict)

    def count(self, name: str) -> None:
        self.outcomes[name] = self.outcomes.get(name, 0) + 1


# ---------------------------------------------------------------- frames, written anew


@cache
def crc_table() -> tuple[int, ...]:
    """Table of the CRC of Modbus over Serial Line V1.02, 6.2.2: polynomial A001, bits reflected."""
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ 0xA001 * (byte & 1)
        table.append(byte)
    return tuple(table)


def crc(data: bytes) -> bytes:
    check = 0xFFFF
    for byte in data:
        check = check >> 8 ^ crc_table()[(check ^ byte) & 0xFF]
    return struct.pack("<H", check)


def frame(mode: Mode, unit: int, transaction: int, body: bytes) -> bytes:
    """Wrap function and data as the line has them."""
    if mode == "rtu":
        whole = bytes([unit]) + body
        return whole + crc(whole)
    return struct.pack(">HHHB", transaction, 0, len(body) + 1, unit) + body


def registers_body(function: int, registers: tuple[int, ...]) -> bytes:
    return struct.pack(f">BB{len(registers)}H", function, 2 * len(registers), *registers)


def carried(mode: Mode, question: Question, reply: Reply, fed: bytes) -> bool:
    """Say whether a frame that answers the question with this reply stood in the input."""
    if reply.outcome is Outcome.EXCEPTION:
        body = bytes([question.function | 0x80, reply.code])
        # Some servers count one byte too few in a refusal; pymodbus knows them.
        short = struct.pack(">HHHB", question.transaction, 0, 2, question.unit) + body
        if mode == "tcp" and short in fed:
            return True
    else:
        body = registers_body(question.function, reply.registers)
    return frame(mode, question.unit, question.transaction, body) in fed


# ---------------------------------------------------------------- what is fed


def answer(chance: random.Random, mode: Mode, asked: Question) -> bytes:
    """Return one of the answers that a line can bring, right or wrong."""
    unit, function, count, transaction = (
        asked.unit, asked.function, asked.count, asked.transaction,
    )  # fmt: skip
    kind = chance.random()
    if kind < 0.15:
        unit = chance.randrange(256)
    elif kind < 0.25:
        function = chance.choice((1, 2, 3, 4, 5, 6, 16, 17, 22, 43, chance.randrange(256)))
    elif kind < 0.40:
        count = chance.randrange(0, 126)
    elif kind < 0.50:
        transaction = chance.randrange(65536)
    body = registers_body(function, tuple(chance.randrange(65536) for _ in range(count)))
    if kind > 0.95:
        body = bytes([function | 0x80, chance.randrange(256)])
    elif kind > 0.90:  # a byte count that does not fit what follows
        body = bytes([function, chance.randrange(256)]) + body[2:]
    elif kind > 0.85:
        body = body[: chance.randrange(len(body) + 1)]
    return frame(mode, unit, transaction, body)


def mutated(chance: random.Random, data: bytes) -> bytes:
    """Damage some bytes: flip, drop, double, insert, cut."""
    found = bytearray(data)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(found) + 1)
        match chance.randrange(5):
            case 0 if at < len(found):
                found[at] ^= 1 << chance.randrange(8)
            case 1 if at < len(found):
                del found[at]
            case 2 if at < len(found):
                found.insert(at, found[at])
            case 3:
                found.insert(at, chance.randrange(256))
            case _:
                del found[at:]
    return bytes(found)


def noise(chance: random.Random) -> bytes:
    length = chance.choice((1, 2, 5, 8, 40, 300))
    few = bytes(chance.choices((0, 1, 3, 4, 0x83, 0xFF), k=length))
    return few if chance.random() < 0.5 else chance.randbytes(length)


def fed_for(chance: random.Random, mode: Mode, asked: Question) -> bytes:
    """Return everything that the line brings after one request."""
    pieces = []
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        one = answer(chance, mode, asked)
        kind = chance.random()
        if kind < 0.35:
            one = mutated(chance, one)
        elif kind < 0.55:
            one = noise(chance)
        pieces.append(one)
    return b"".join(pieces)


def chunks(chance: random.Random, data: bytes) -> Iterator[bytes]:
    """Cut bytes as a line delivers them."""
    at = 0
    while at < len(data):
        step = chance.choice((1, 2, 7, 64, len(data)))
        yield data[at : at + step]
        at += step


# ---------------------------------------------------------------- the client, without a socket


class _Sink(asyncio.Transport):
    """Takes what the client sends and hands it to a function."""

    def __init__(self, sent: Callable[[bytes], None]) -> None:
        super().__init__()
        self._sent = sent

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._sent(bytes(data))

    def close(self) -> None:
        """Close nothing."""

    def abort(self) -> None:
        """Abort nothing."""


async def fuzz_line(mode: Mode, size: int, seed: int) -> Figures:
    """Ask again and again, and feed anything; an AssertionError tells what broke."""
    chance = random.Random(f"{mode} {seed}")
    host, port = "127.0.0.1", 502
    line = ModbusLine(LineSettings("tcp" if mode == "tcp" else "rtu+tcp", host, port, 19200, "8N1"))
    context = line._ctx
    loop = asyncio.get_running_loop()
    broken: list[object] = []
    loop.set_exception_handler(lambda _, told: broken.append(told))
    requests: list[bytes] = []
    context.connection_made(_Sink(requests.append))
    figures = Figures(mode)
    began = time.perf_counter()
    while figures.bytes < size:
        kind: Kind = chance.choice(("holding", "input"))
        unit, address, count = (
            chance.randrange(1, 248),
            chance.randrange(65000),
            chance.randrange(1, 126),
        )
        requests.clear()
        started = time.perf_counter()
        asking = loop.create_task(line.read(unit, kind, address, count, timeout=PATIENCE))
        await asyncio.sleep(0)
        (sent,) = requests
        transaction = struct.unpack(">H", sent[:2])[0] if mode == "tcp" else 0
        asked = Question(unit, kind, address, count, transaction)
        fed = fed_for(chance, mode, asked)
        for chunk in chunks(chance, fed):
            context.data_received(chunk)
            assert len(context.recv_buffer) <= LONGEST, "a buffer that grows"
        figures.bytes += len(fed)
        figures.exchanges += 1
        reply = await asking
        assert time.perf_counter() - started < HANGS, "an exchange that hangs"
        assert not broken, broken
        figures.count(reply.outcome.value)
        if reply.outcome in (Outcome.REGISTERS, Outcome.EXCEPTION):
            assert carried(mode, asked, reply, fed), (asked, reply, fed.hex())
        if reply.outcome is Outcome.REGISTERS:
            assert len(reply.registers) == count
            decode_all(chance, reply.registers)
        if chance.random() < 0.05:  # nobody asked for this
            idle = noise(chance) + answer(chance, mode, asked)
            context.data_received(idle)
            figures.bytes += len(idle)
    figures.seconds = time.perf_counter() - began
    return figures


# ---------------------------------------------------------------- decoding


@cache
def every_register() -> tuple[Register, ...]:
    return tuple(register for name in map_ids() for register in load_map(name).registers)


def decode_all(chance: random.Random, words: tuple[int, ...]) -> None:
    """Decode words as some register of some map: a value or a fault, and never both."""
    register = chance.choice(every_register())
    if len(words) < register.count:
        return
    said = decode(register, words[: register.count])
    assert (said.value is None) == (said.fault is not None)
    assert (said.text == "") == (said.fault is not None)
    if said.value is not None:
        assert said.value.is_finite()
        assert abs(said.value.adjusted()) < 400
        assert register.valid is None or register.valid[0] <= said.value <= register.valid[1]


def fuzz_decode(size: int, seed: int) -> Figures:
    """Decode random words through every register of every map."""
    chance = random.Random(f"decode {seed}")
    figures = Figures("decode")
    counters = [PulseCount(r) for r in every_register() if r.modulus is not None]
    began = time.perf_counter()
    special = (0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF, 0x7F80, 0xFF80, 0x7FC0, 0x7FF0)
    while figures.bytes < size:
        for register in every_register():
            words = tuple(
                chance.choice(special) if chance.random() < 0.3 else chance.randrange(65536)
                for _ in range(register.count)
            )
            figures.bytes += 2 * register.count
            figures.exchanges += 1
            said = decode(register, words)
            assert (said.value is None) == (said.fault is not None)
            assert said.value is None or said.value.is_finite()
            figures.count("faults" if said.fault else "values")
        for counter in counters:
            raw = chance.randrange(1 << 32)
            counted = counter.add(raw, figures.exchanges, figures.exchanges)
            assert (counted.value is None) == (counted.fault is not None)
            assert counted.value is None or counted.value >= 0
        number = raw_number(every_register()[0], (0x7FC0, 0))
        assert number != number or isinstance(number, int)
    figures.seconds = time.perf_counter() - began
    return figures


def run(name: str, size: int, seed: int) -> Figures:
    """Run one part."""
    if name == "decode":
        return fuzz_decode(size, seed)
    return asyncio.run(fuzz_line("tcp" if name == "tcp" else "rtu", size, seed))


PARTS = ("tcp", "rtu", "decode")


def main() -> None:
    """Run all parts, or one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, default=10_000_000)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    for name in [given.only] if given.only else PARTS:
        done = run(name, given.bytes, given.seed)
        outcomes = ", ".join(f"{k} {v:,}" for k, v in sorted(done.outcomes.items()))
        sys.stdout.write(
            f"{name:<8}{done.bytes:>12,} bytes{done.exchanges:>10,} exchanges  {outcomes}"
            f"  {done.seconds:.1f} s\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
