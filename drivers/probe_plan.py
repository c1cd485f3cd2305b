"""What is tried on an unknown line, in which order, and how long each try may take.

Knows speeds, framings, requests and unit numbers in the order in which they are likely. Refuses to
send anything that changes an instrument: only requests for an indication, and the reading of
registers.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from drivers.probe_heard import dialects
from drivers.probe_wire import sent_as
from drivers.register_map import RegisterMap, load_map, map_ids

BUDGET: Final = 30.0
"""The whole search [s]."""
SPEEDS: Final = (9600, 4800, 2400, 19200, 1200, 38400, 115200, 57600)
"""Speeds of scales, as their manuals have them from the factory, the most frequent first [Bd]."""
PROBED: Final = 0, 2
"""Wire address and number of the holding registers that every unit is asked for.

No instrument of another speed hears this request of units 1 and 2 as a command (as below).
"""
APART: Final[Mapping[str, frozenset[bytes]]] = {
    "8N1": frozenset((b"\x1bP\r\n", b"Q\r\n", b"01RW\r\n", b"P\r\n", b"\x02AB03\x03")),
    "7E1": frozenset((b"SI\r\n", b"\x1bP\r\n", b"01RW\r\n", b"\x02AB03\x03")),
    "7O1": frozenset((b"Q\r\n", b"READ\r\n", b"01RW\r\n", b"P\r\n")),
    "7N2": frozenset((b"01RW\r\n",)),
    "8O1": frozenset((b"\x02AB03\x03",)),
}
"""Framing -> requests that a slower instrument could hear as a command of one letter, such as T.

It samples the bits of several characters as if they were one. With a pause after each character it
hears none; tests/test_probe_harmless.py tries all speeds and framings.
"""
_END: Final = b"\r\n"
_LAST: Final = b"P\r\n"
"""It prints (Ohaus Scout Pro), and is the ON:OFF key of an A&D balance, which has answered Q before."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited for what [s]."""

    first: float = 1.5
    """Listened before anything is done: most instruments that stream send once a second or more."""
    listen: float = 0.2
    """Listened at each further speed before anything is sent."""
    stream: float = 1.4
    """Listened at each speed to an instrument that streams."""
    gap: float = 0.05
    """Between two requests of a volley."""
    answer: float = 0.35
    """How long an answer to a request may take."""
    settle: float = 0.12
    """Waited for a second answer."""
    unit: float = 0.15
    """How long a Modbus unit may take to answer on a serial line."""
    network: float = 0.6
    """The same behind TCP, before the first answer has shown how quick the line is."""
    apart: float = 10 / 600
    """Between two characters of a request that must not be heard as another: one of 600 Bd."""
    register: float = 0.5
    """How long registers of a unit that is there may take."""

    def at_pace(self, pace: float) -> "Patience":
        """Return the same in a world that is so many times quicker."""
        return Patience(*(getattr(self, name) / pace for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Tune:
    """Set the port; nothing where it has no speed."""

    baudrate: int
    framing: str


@dataclass(frozen=True, slots=True)
class Send:
    """Send bytes as they are; ``apart`` [s] is the pause after each."""

    data: bytes
    apart: float = 0.0

    @property
    def parts(self) -> tuple[bytes, ...]:
        """Give what goes out at one go."""
        if not self.apart:
            return (self.data,)
        return tuple(self.data[at : at + 1] for at in range(len(self.data)))


@dataclass(frozen=True, slots=True)
class Hear:
    """Take what comes: for so long [s], or until ``enough`` and a moment more."""

    seconds: float
    enough: Callable[[bytes], bool] | None = None
    settle: float = 0.0


@dataclass(frozen=True, slots=True)
class Ask:
    """Read registers of a Modbus unit, on a line with this speed and framing."""

    baudrate: int
    framing: str
    unit: int
    kind: Literal["holding", "input"]
    address: int
    count: int
    wait: float


Action = Tune | Send | Hear | Ask


@dataclass(frozen=True, slots=True)
class ScaleTry:
    """Ask for a weight, in every protocol, at one speed and framing."""

    baudrate: int
    framing: str


@dataclass(frozen=True, slots=True)
class BusTry:
    """Ask some units of a Modbus bus at one speed and framing."""

    baudrate: int
    framing: str
    units: tuple[int, ...]


Try = ScaleTry | BusTry


@cache
def volley() -> tuple[bytes, ...]:
    """Return the requests for an indication of all protocols, each but once.

    Requests that end a line come first, so that no half request stands before another; one that
    another begins with is left out.
    """
    polls = dict.fromkeys(d.codec.requests.poll for d in dialects() if d.codec.requests.poll)
    needed = [p for p in polls if p and not any(o != p and o.startswith(p) for o in polls if o)]
    return tuple(sorted(needed, key=lambda p: (not p.endswith(_END), p == _LAST)))


def spoken(request: bytes, framing: str, apart: float) -> Send:
    """Return how a request is sent in a framing, so that no instrument hears another."""
    return Send(sent_as(request, framing), apart if request in APART.get(framing, ()) else 0.0)


@cache
def maps() -> tuple[RegisterMap, ...]:
    """Return every register map that comes with the drivers."""
    return tuple(load_map(name) for name in map_ids())


@cache
def early_units() -> tuple[int, ...]:
    """Return the units asked first: low numbers, and those that come from a factory."""
    factory = (known.manners.unit for known in maps())
    return tuple(dict.fromkeys((1, 2, 3, *(unit for unit in factory if unit), 4, 5)))


def factory_lines() -> tuple[tuple[int, str], ...]:
    """Return speeds and framings of Modbus lines, those of factories first."""
    known = [(m.manners.baudrate, m.manners.framing) for m in maps()]
    from_factories = [(b, f) for b, f in known if b and f]
    often = sorted(set(from_factories), key=lambda line: -from_factories.count(line))
    # 19200 8E1 is the default of the specification (Modbus over serial line V1.02, 2.5.1)
    usual = [(19200, "8E1"), (9600, "8E1"), (19200, "8N1"), (9600, "8O1"), (38400, "8N1")]
    others = [(4800, "8N1"), (115200, "8N1"), (57600, "8N1"), (2400, "8N1"), (38400, "8E1")]
    lines = dict.fromkeys([*often[:1], *usual[:1], *often, *usual, *others])
    return tuple(line for line in lines if line[1] != "8N2")  # heard and spoken as 8N1


def bus_plan(*, speeds: bool) -> tuple[BusTry, ...]:
    """Return what is tried on a Modbus bus; without speeds there is one line only."""
    lines = factory_lines() if speeds else factory_lines()[:1]
    early = early_units()
    rest = tuple(unit for unit in range(1, 248) if unit not in early)
    near, far = rest[:11], rest[11:]
    plan = [BusTry(*line, early) for line in lines]
    plan += [BusTry(*line, near) for line in lines[:4]]
    plan += [BusTry(*line, far) for line in lines[:4]]
    return tuple(plan)


def scale_plan(*, speeds: bool) -> tuple[Try, ...]:
    """Return what is asked of a scale once nothing streams."""
    if not speeds:
        return tuple(ScaleTry(SPEEDS[0], framing) for framing in ("8N1", "7E1", "7O1"))
    return (
        ScaleTry(9600, "8N1"),
        ScaleTry(9600, "7E1"),
        ScaleTry(4800, "8N1"),
        ScaleTry(2400, "7E1"),  # A&D
        ScaleTry(19200, "8N1"),
        ScaleTry(2400, "7N2"),  # Ohaus Scout Pro
        ScaleTry(2400, "8N1"),
        ScaleTry(1200, "7O1"),  # Sartorius
        ScaleTry(9600, "7O1"),
        ScaleTry(38400, "8N1"),
        ScaleTry(115200, "8N1"),
        ScaleTry(57600, "8N1"),
        ScaleTry(9600, "8E1"),
        ScaleTry(9600, "8O1"),
        ScaleTry(1200, "8N1"),
        ScaleTry(4800, "7E1"),
        ScaleTry(1200, "7E1"),
    )


def line_plan(*, speeds: bool) -> tuple[Try, ...]:
    """Return what is tried on a line of which nothing is known: scales and Modbus in turn.

    Only two units are asked, by requests that no scale hears as a command.
    """
    scales = scale_plan(speeds=speeds)
    lines = factory_lines() if speeds else factory_lines()[:1]
    buses = [BusTry(*line, early_units()[:2]) for line in lines]
    return (*scales[:2], *buses[:2], *_in_turn(scales[2:], buses[2:]))


def _in_turn(more: Iterable[Try], fewer: Iterable[Try]) -> Iterable[Try]:
    """Give two of the one for one of the other."""
    other = iter(fewer)
    for number, one in enumerate(more):
        yield one
        if number % 2:
            yield from (o for o in [next(other, None)] if o is not None)
    yield from other
