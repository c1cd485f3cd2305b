"""When an indication may be taken: fresh, and standing still.

Knows indications and their monotonic times. Knows no clock and no line, so that a test, a replay
and a bench decide the same way.
"""

from decimal import Decimal

from drivers.indication import Condition, Indication


class Steady:
    """Watch indications until one has stood still for a window of time.

    Fresh means: asked for, or begun, after the load change was done (``after_ns``). Standing
    still means: valid for the whole window, within ``span`` of one another and, where the
    instrument tells stability, declared stable every time. A fault, an overload or a jump starts
    the window again.
    """

    def __init__(
        self, *, after_ns: int, window_s: float, span: Decimal = Decimal(0), tells: bool = True
    ) -> None:
        self._after_ns = after_ns
        self._window_ns = int(window_s * 1e9)
        self._span = span
        self._wanted = {Condition.STABLE} if tells else {Condition.STABLE, Condition.DYNAMIC}
        self._begun_ns = 0
        self._low = self._high = Decimal(0)
        self._unit: str | None = None

    def add(self, indication: Indication) -> bool:
        """Take the next indication; say whether it is fresh and has stood still long enough."""
        value = indication.value
        if (
            indication.since_ns < self._after_ns
            or indication.condition not in self._wanted
            or value is None
        ):
            self._unit = None
            return False
        low, high = min(self._low, value), max(self._high, value)
        if self._unit != indication.unit or high - low > self._span:
            self._unit = indication.unit
            self._low = self._high = value
            self._begun_ns = indication.since_ns
        else:
            self._low, self._high = low, high
        return indication.since_ns - self._begun_ns >= self._window_ns
