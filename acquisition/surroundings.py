"""The air at each point: temperature, humidity and pressure as transmitters show them then.

Knows feeds and how old a value may be. Refuses to fill a gap: a point without a value of every
transmitter of the bench is no point.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from acquisition.config import Bench
from acquisition.faults import Abandoned
from acquisition.feed import Feed
from calibration.units import Quantity
from drivers.indication import Indication

FRESH: Final = 30.0
"""The air does not change in less: a value that arrived so long ago still counts [s]."""


@dataclass(frozen=True, slots=True)
class Surrounding:
    """One quantity of the air and the transmitter that shows it."""

    name: str
    """As the observation sheet calls it: ``temperature``."""
    quantity: str
    """As the transmitter calls it: ``temperature_1``."""
    feed: Feed


def surroundings_of(bench: Bench, feeds: Mapping[str, Feed]) -> tuple[Surrounding, ...]:
    """Return what the transmitters of a bench are there for."""
    return tuple(
        Surrounding(name, quantity, feeds[instrument.name])
        for instrument in bench.instrument
        for name, quantity in instrument.surroundings().items()
    )


async def looked_at(one: Surrounding, now_ns: int, patience: float) -> Indication:
    """Return a value of now; one that does not come within ``patience`` [s] ends the run."""
    latest = one.feed.newest.get(one.quantity)
    oldest_ns = now_ns - int(FRESH * 1e9)
    if latest is not None and latest.value is not None and latest.arrived_ns >= oldest_ns:
        return latest
    deadline = asyncio.get_running_loop().time() + patience
    with one.feed.listening() as listener:
        while (seen := await listener.next_before(deadline)) is not None:
            if seen.quantity == one.quantity and seen.value is not None:
                return seen
    latest = one.feed.newest.get(one.quantity)
    raise Abandoned(
        "no {quantity} from {instrument} within {seconds} s; the last was: {last}",
        quantity=one.quantity,
        instrument=one.feed.name,
        seconds=patience,
        last="-" if latest is None else latest.detail or latest.text or "-",
    )


def mean(values: list[Quantity]) -> Quantity:
    """Return the mean of what was seen at the points, with one digit more than they had."""
    unit = values[0].unit
    numbers = [value.to(unit).magnitude for value in values]
    if len(set(numbers)) == 1:
        return values[0]
    places = max(0, *(-int(number.as_tuple().exponent) for number in numbers)) + 1
    total = sum(numbers, Decimal(0)) / len(numbers)
    return Quantity(total.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN), unit)
