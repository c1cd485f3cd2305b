"""What a scale remembers of the loads before, however long ago: hysteresis and friction.

Knows the order of loads and nothing of time. Loads and errors in one unit.
"""


class Hysteresis:
    """A scale that shows more on the way down, with loops that close (Madelung's rules).

    On a first loading the error is 0. Unloading from a turn at B towards the turn A before it:

        error(L) = straight line between the errors at A and B + 4 h (B - A) u (1 - u),
        u = (L - A) / (B - A)

    Loading again goes along the straight line back. A loop that is passed is forgotten, and at no
    load everything is. ``h`` is the largest difference of a full loop, relative to its top.
    """

    def __init__(self, h: float) -> None:
        self._h = h
        self._load = 0.0
        self._error = 0.0
        self._turns = [(0.0, 0.0)]
        """Load and error where the direction changed: bottom, top, bottom, top ..."""

    def error(self, load: float) -> float:
        """Go to a load and return the error there."""
        if not self._h:
            return 0.0
        turns = self._turns
        rising = len(turns) % 2 == 1
        if load != self._load and (load > self._load) != rising:
            turns.append((self._load, self._error))
            rising = not rising
        while len(turns) > 1 and (load >= turns[-2][0] if rising else load <= turns[-2][0]):
            if rising and len(turns) < 3:
                break
            del turns[-2:]
        if load <= 0 or not turns:
            self._turns = turns = [(0.0, 0.0)]
            rising = True
        self._load = max(load, 0.0)
        self._error = self._between(turns, rising)
        return self._error

    def _between(self, turns: list[tuple[float, float]], rising: bool) -> float:
        if len(turns) < 2:
            return 0.0
        (here, error), (there, other) = turns[-1], turns[-2]
        share = (self._load - here) / (there - here)
        line = error + (other - error) * share
        return line if rising else line + 4 * self._h * abs(here - there) * share * (1 - share)


class Friction:
    """A pointer that moves only when the pull is larger than the friction."""

    def __init__(self, half: float) -> None:
        """Take half the width of the dead band."""
        self._half = half
        self._at = 0.0

    def stops_at(self, pull: float) -> float:
        """Go towards a value and return where the pointer stays behind.

        >>> pointer = Friction(2.0)
        >>> pointer.stops_at(10.0), pointer.stops_at(9.0), pointer.stops_at(0.0)
        (8.0, 8.0, 2.0)
        """
        self._at = min(max(self._at, pull - self._half), pull + self._half)
        return self._at
