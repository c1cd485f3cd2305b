"""How warm a scale is: the room, its own heat after power on, and a slow change of the room.

    T(t) = room + heat + (T0 - room - heat) exp(-(t - t0)/tau) + drift (t - t1)

t0 is when the room or the power last changed and T0 what it was then; t1 when the scale first was
looked at. Knows °C and seconds; refuses to know what warmth does.
"""

import math


class Warmth:
    """The temperature of a load cell or a spring."""

    def __init__(self, room: float, drift: float, heat: float, time: float) -> None:
        """Take room [°C], its drift [K/h], the own heat [K] and its time constant [s]."""
        self._room, self._drift, self._heat, self._time = room, drift / 3600, heat, time
        self._from = room
        self._since = self._origin = 0.0
        self.steady = not drift and not heat
        """Whether it never changes."""

    def begin(self, at: float) -> None:
        """Be first looked at: cold, as if just switched on."""
        self._since = self._origin = at

    def at(self, now: float) -> float:
        """Return the temperature [°C] at a moment [s].

        >>> warmth = Warmth(20.0, 0.0, 5.0, 600.0)
        >>> warmth.at(0.0), round(warmth.at(600.0), 4), round(warmth.at(6000.0), 3)
        (20.0, 23.1606, 25.0)
        """
        if self.steady:
            return self._room
        end = self._room + self._heat
        decay = math.exp(-max(now - self._since, 0.0) / self._time) if self._time > 0 else 0.0
        return end + (self._from - end) * decay + self._drift * (now - self._origin)

    def change_room(self, room: float, now: float) -> None:
        """Let the room have another temperature [°C] from now on; the scale follows slowly."""
        self._from = self.at(now) - self._drift * (now - self._origin)
        self._room, self._since, self.steady = room, now, False

    def switched_on(self, now: float) -> None:
        """Begin anew with the room's temperature."""
        self._from, self._since = self._room, now
