"""How unknown units of a Modbus bus are found: a conversation without a line and without a clock.

Only registers are read (functions 3 and 4). A refusal is an answer too. Knows in which order units
are asked and which maps to try. Refuses to name one map where several fit.
"""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Final

from drivers.modbus_wire import Kind, Outcome, Reply
from drivers.probe_maps import MapFit, fit, likeliest
from drivers.probe_plan import PROBED, Action, Ask, BusTry, Patience, maps
from drivers.register_map import RegisterMap, Telegram

_GATEWAY: Final = (10, 11)
"""Exceptions of a gateway: path unavailable, target failed to respond (V1.1b3, 7)."""
_EVERYBODY: Final = (200, 117, 89)
"""Units that nobody has: an instrument that answers to these answers to all."""
_IN_A_ROW: Final = 4
"""So many units that all answer are looked at with suspicion."""
_BITS, _FRAMES = 11, 13
"""Bits of a character, and characters of a request and an answer without its registers."""
_FEW: Final = 2
"""A try of so few units does not wait for one that sleeps."""
_QUICK: Final = 10
"""An answer may take so many times as long as the first one took."""

_DAMAGED: Final = (Outcome.GARBLED, Outcome.FOREIGN)
"""What two answers at once look like, and a late one: pymodbus does not say whose it is."""

Place = tuple[Kind, int, int]
"""Table, wire address and number of registers."""
Steps = Generator[Action, Reply, None]


@dataclass(frozen=True, slots=True)
class UnitFound:
    """A unit that answered."""

    unit: int
    baudrate: int
    framing: str
    code: int
    """Exception code of its first answer; 0 when it gave registers."""
    maps: tuple[MapFit, ...] | None
    """The maps to name, the likeliest first; None when there was no time to read them."""


class BusSearch:
    """What answered so far, and the ways to ask for more."""

    def __init__(self, patience: Patience, *, serial: bool, left: Callable[[], float]) -> None:
        """Describe a search; ``left`` says how much time is left [s]."""
        self.found: list[UnitFound] = []
        self.asked: list[int] = []
        """Units that were asked on the line where something answered."""
        self.gateway = self.everybody = False
        """A gateway said that nobody is there; one instrument answers to every unit number."""
        self.garbled: list[tuple[int, str, int]] = []
        """Speed, framing and unit of answers that were no sound frame."""
        self._patience, self._left, self._serial = patience, left, serial
        self._wait = patience.unit if serial else patience.network
        self._silent: int | None = None
        """The unit that was asked last, if nothing came."""
        self._least = self._wait / (2 if serial else 4)

    def scan(self, one: BusTry) -> Steps:
        """Ask units at one speed and framing; once one answers, look at all on this line."""
        for unit in one.units:
            if (yield from self._meet(one, unit)):
                yield from self._look_around(one)
                return

    def _look_around(self, line: BusTry) -> Steps:
        for unit in dict.fromkeys((*line.units, *range(1, 248))):
            if unit in self.asked:
                continue
            yield from self._meet(line, unit)
            if len(self.found) == len(self.asked) == _IN_A_ROW:
                yield from self._only_one(line)
                if self.everybody:
                    return

    def _meet(self, line: BusTry, unit: int) -> Generator[Action, Reply, bool]:
        """Ask one unit, and which map fits it if it is there."""
        reply = yield from self._asked(line, unit, "holding", *PROBED, self._wait)
        if reply.outcome is Outcome.SILENCE and unit == line.units[0] and len(line.units) > _FEW:
            # it may have slept
            reply = yield from self._asked(line, unit, "holding", *PROBED, self._wait)
        late, self._silent = self._silent, None
        if reply.outcome in _DAMAGED and late is not None:
            # the unit before may be slower than it was waited for
            again = yield from self._asked(line, late, "holding", *PROBED, self._patience.register)
            yield from self._take(line, late, again)
        if reply.outcome in _DAMAGED:
            reply = yield from self._asked(line, unit, "holding", *PROBED, self._patience.register)
        if reply.outcome in _DAMAGED:
            self.garbled.append((line.baudrate, line.framing, unit))
        self._silent = unit if reply.outcome is Outcome.SILENCE else None
        self.asked.append(unit)
        yield from self._take(line, unit, reply)
        return bool(self.found)

    def _take(self, line: BusTry, unit: int, reply: Reply) -> Steps:
        """Take down a unit that is there, and the maps that fit it."""
        if not _there(reply):
            self.gateway = self.gateway or reply.code in _GATEWAY
            return
        self._wait = min(self._wait, max(self._least, _QUICK * _took(reply)))
        at = len(self.found)
        self.found.append(UnitFound(unit, line.baudrate, line.framing, reply.code, None))
        fits = yield from self._fitting(line, unit)
        self.found[at] = UnitFound(unit, line.baudrate, line.framing, reply.code, likeliest(fits))

    def _only_one(self, line: BusTry) -> Steps:
        """See whether one instrument answers to every unit number."""
        for unit in _EVERYBODY:
            reply = yield from self._asked(line, unit, "holding", *PROBED, self._wait)
            if not _there(reply):
                return
        self.everybody = True
        del self.found[1:]

    def _fitting(self, line: BusTry, unit: int) -> Generator[Action, Reply, list[MapFit]]:
        """Read the registers of each map; one telegram that does not come ends it."""
        read: dict[Place, tuple[int, ...] | None] = {}
        found = []
        for known in _likely_first(maps(), line, unit):
            if self._left() <= 0:
                break
            if (yield from self._all_there(line, unit, known, read)):
                one = fit(known, lambda telegram: read[_key(telegram)] or ())
                found += [] if one is None else [one]
        return found

    def _all_there(
        self,
        line: BusTry,
        unit: int,
        known: RegisterMap,
        read: dict[Place, tuple[int, ...] | None],
    ) -> Generator[Action, Reply, bool]:
        for telegram in known.plan():
            if _key(telegram) not in read:
                reply = yield from self._asked(line, unit, *_key(telegram), self._patience.register)
                if reply.outcome in (*_DAMAGED, Outcome.SILENCE):
                    reply = yield from self._asked(
                        line, unit, *_key(telegram), self._patience.register
                    )
                whole = reply.outcome is Outcome.REGISTERS
                read[_key(telegram)] = reply.registers if whole else None
            if read[_key(telegram)] is None:
                return False
        return True

    def _asked(
        self, line: BusTry, unit: int, kind: Kind, address: int, count: int, wait: float
    ) -> Generator[Action, Reply, Reply]:
        if self._serial:
            wait += _BITS * (_FRAMES + 2 * count) / line.baudrate
        reply = yield Ask(line.baudrate, line.framing, unit, kind, address, count, wait)
        return reply


def _key(telegram: Telegram) -> Place:
    return telegram.kind, telegram.address, telegram.count


def _there(reply: Reply) -> bool:
    if reply.outcome is Outcome.EXCEPTION:
        return reply.code not in _GATEWAY
    return reply.outcome is Outcome.REGISTERS


def _took(reply: Reply) -> float:
    return (reply.arrived_ns - reply.sent_ns) / 1e9


def _likely_first(known: Iterable[RegisterMap], line: BusTry, unit: int) -> list[RegisterMap]:
    """Return maps whose factory setting this is first."""
    return sorted(
        known,
        key=lambda m: (
            m.manners.unit != unit,
            (m.manners.baudrate, m.manners.framing) != (line.baudrate, line.framing),
        ),
    )
