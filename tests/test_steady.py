"""An indication enters a verdict only when it is fresh and stands still."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from acquisition.steady import Steady
from drivers.indication import Condition, Indication, Origin

MS = 1_000_000


def shown(
    text: str, at_ms: int, condition: Condition = Condition.STABLE, unit: str = "g"
) -> Indication:
    valid = condition in (Condition.STABLE, Condition.DYNAMIC)
    return Indication(
        instrument="scale",
        quantity="weight",
        text=text,
        value=Decimal(text) if valid else None,
        unit=unit if valid else None,
        condition=condition,
        detail=None,
        origin=Origin.WIRE,
        time=datetime.now(UTC),
        since_ns=at_ms * MS,
        arrived_ns=(at_ms + 1) * MS,
        sequence=0,
        raw=b"",
    )


def taken_at(steady: Steady, *indications: Indication) -> int | None:
    """Return the index of the indication that was taken."""
    return next((i for i, seen in enumerate(indications) if steady.add(seen)), None)


def test_an_indication_from_before_the_load_change_is_never_taken() -> None:
    steady = Steady(after_ns=1000 * MS, window_s=0.1)
    old = [shown("0", at) for at in range(0, 1000, 10)]
    assert taken_at(steady, *old) is None
    # the first fresh one does not finish a window that old ones began
    assert not steady.add(shown("0", 1001))
    assert steady.add(shown("0", 1101))


def test_the_request_counts_and_not_the_arrival() -> None:
    steady = Steady(after_ns=1000 * MS, window_s=0.0)
    assert not steady.add(shown("0", 999))  # asked before, arrived in the same millisecond
    assert steady.add(shown("5", 1000))


@pytest.mark.parametrize(
    "between",
    [
        shown("7", 50),
        shown("5", 50, Condition.DYNAMIC),
        shown("", 50, Condition.OVERLOAD),
        shown("", 50, Condition.FAULT),
        shown("5", 50, unit="kg"),
    ],
    ids=["jump", "motion", "overload", "fault", "unit changed"],
)
def test_whatever_interrupts_starts_the_window_again(between: Indication) -> None:
    steady = Steady(after_ns=0, window_s=0.1)
    assert taken_at(steady, shown("5", 0), between, shown("5", 60), shown("5", 140)) is None
    assert steady.add(shown("5", 160))


def test_an_instrument_that_does_not_tell_stands_still_within_a_span() -> None:
    def drifting(span: str) -> int | None:
        steady = Steady(after_ns=0, window_s=0.1, span=Decimal(span), tells=False)
        seen = [shown(f"{10 + i * 0.1:.1f}", i * 30, Condition.DYNAMIC) for i in range(12)]
        return taken_at(steady, *seen)

    assert drifting("0.2") is None
    assert drifting("0.4") == 4


def test_slow_drift_is_measured_over_the_window_and_not_from_one_to_the_next() -> None:
    steady = Steady(after_ns=0, window_s=10, span=Decimal("0.3"), tells=False)
    seen = [shown(f"{i * 0.1:.1f}", i * 1000, Condition.DYNAMIC) for i in range(60)]
    assert taken_at(steady, *seen) is None
