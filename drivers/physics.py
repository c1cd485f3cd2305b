"""How a scale answers to a load, apart from how it says so: seeded, and a function of time.

    signal  = load cell + drift (t - first look)                    drivers/load_cell.py
    gross   = signal - zero point + zero error                      drivers/zero_keeping.py
    shown   = gross - tare + noise, in digits                       drivers/weight_display.py
    stable  : the signal moved less than d/4 in the motion window

Everything but noise depends on the loads so far and on the time alone, however often one looks; the
n-th look draws the n-th noise. Refuses to know protocols, words and any limit.
"""

import random
from dataclasses import dataclass
from decimal import Decimal

from drivers.load_cell import LoadCell
from drivers.scale_traits import ScaleTraits
from drivers.weight_display import WeightDisplay
from drivers.zero_keeping import ZeroKeeping


@dataclass(frozen=True, slots=True)
class Shown:
    """What the display shows at one moment."""

    value: Decimal
    """Indication, a multiple of *d* [unit of the scale]."""
    stable: bool
    """Whether the signal has moved less than d/4 within the last motion window."""


class ScalePhysics(ScaleTraits):
    """One scale with its traits, at work; every ``now`` is in s of one clock."""

    def __post_init__(self) -> None:
        """Be switched on, empty and at zero."""
        super().__post_init__()
        self._cell = LoadCell(self)
        self._display = WeightDisplay(self)
        self._zero = ZeroKeeping(self, self._signal, self.stable)
        self._left = float(self.zero_error)
        self._drift = float(self.drift_per_hour) / 3600
        self._noise = float(self.noise)
        self._random = random.Random(self.seed)  # noqa: S311 - physics, not secrets
        self._tare = 0.0
        self._looked = False
        self._origin = 0.0

    def _begin(self, now: float) -> None:
        if not self._looked:
            self._looked, self._origin = True, now
            self._cell.begin(now)
            self._zero.begin(now, self._signal(now, calm=True))

    def _signal(self, now: float, *, calm: bool = False) -> float:
        signal = self._cell.calm(now) if calm else self._cell.signal(now)
        return signal + self._drift * (now - self._origin) if self._drift else signal

    def _gross(self, now: float) -> float:
        self._begin(now)
        self._zero.keep(now)
        return self._signal(now) - self._zero.point + self._left

    def place(self, load: Decimal, position: int, now: float) -> None:
        """Change the load on the receptor at time ``now`` [s]."""
        self._begin(now)
        self._zero.keep(now)
        self._cell.place(float(load), position, now)
        self._display.placed(self._cell.settled(now) - self._zero.point + self._left)

    def shown(self, now: float) -> Shown:
        """Return what the display shows at time ``now`` [s]."""
        net = self._gross(now) - self._tare
        if self._noise:
            net += self._random.gauss(0.0, self._noise)
        return Shown(self._display.digits(net), self.stable(now))

    def net(self, now: float) -> Decimal:
        """Return the net value without noise, as the display would show it [unit]."""
        return self._display.digits(self._gross(now) - self._tare)

    def gross(self, now: float) -> Decimal:
        """Return the load from zero, tare disregarded, as the display would show it [unit]."""
        return self._display.digits(self._gross(now))

    def stable(self, now: float) -> bool:
        """Say whether the signal stands still, as a scale's motion detection would."""
        return self._cell.travel(now) < float(self._display.interval(self._cell.load)) / 4

    def from_first_zero(self, now: float) -> Decimal:
        """Return the signal disregarding every zero-setting since power on [unit]."""
        self._begin(now)
        return Decimal(self._zero.from_first(now) + self._left)

    def zero(self, now: float) -> None:
        """Take the signal now for zero, as zero-setting does: to within its own resolution."""
        self._begin(now)
        self._zero.keep(now)
        self._zero.take(now)
        self._tare = 0.0

    def tare(self, now: float) -> Decimal:
        """Take the load now for tare and return it as displayed [unit]."""
        self._tare = self._gross(now)
        return self.tared

    @property
    def tared(self) -> Decimal:
        """The tare in effect, as displayed [unit]."""
        return self._display.digits(self._tare)

    def untare(self) -> None:
        """Forget the tare."""
        self._tare = 0.0

    def power_on(self, now: float) -> bool:
        """Be switched on anew: tare and zero are lost; say whether an initial zero was set.

        The load stays. Outside of the initial zero-setting range the zero of the adjustment counts.
        """
        self._begin(now)
        self._tare = 0.0
        self._cell.warmth.switched_on(now)
        self._display.reset()
        done = self._zero.switched_on(now, adjusted=0.0)
        self._display.placed(self._signal(now) - self._zero.point + self._left)
        return done

    def shake(self, amplitude: Decimal, lasts: float, now: float) -> None:
        """Let a truck pass: ``amplitude`` [unit], from ``now`` on for ``lasts`` [s]."""
        self._begin(now)
        self._cell.vibration.send(now, float(amplitude), lasts)

    def change_room(self, temperature: float, now: float) -> None:
        """Give the room another temperature [°C]."""
        self._begin(now)
        self._cell.warmth.change_room(temperature, now)
