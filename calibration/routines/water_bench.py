"""A bench of water meters in series: one file, one sheet for each meter.

Knows how what the meters share and what each has of its own become N sheets of one instrument.
Refuses what belongs to one meter where it would stand for all of them. Reads nothing further: each
sheet is read as any other.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from calibration.refusal import Refused
from calibration.routines.water_meter_sheet import INSTRUMENT, OWN

METER = "meter"
"""Key of the list of meters in a bench sheet."""


def is_bench(mapping: Mapping[str, Any]) -> bool:
    """Tell whether a sheet lists meters of a bench."""
    return METER in mapping


def bench_sheets(mapping: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Give one sheet for each ``[[meter]]``, in their order in the pipe.

    ``[instrument]`` states what all meters share, ``[[test]]`` flow rate, reference and
    temperatures; a ``[[meter]]`` its serial number, what differs from ``[instrument]``, and
    ``start`` and ``end`` (or ``indication``) with one entry for each ``[[test]]``: a reading, or a
    list of readings where the test has several runs.
    """
    meters = _tables(mapping, METER)
    tests = _tables(mapping, "test")
    shared = mapping.get("instrument", {})
    if not isinstance(shared, Mapping):
        raise Refused("this is a table with keys, not a single value.", key="instrument")
    if not meters:
        raise Refused("this list is empty.", key=METER)
    if "serial" in shared:
        raise Refused(
            "this belongs to one meter: write it under [[meter]].", key="instrument.serial"
        )
    for place, test in enumerate(tests):
        for name in OWN:
            if name in test:
                raise Refused(
                    "this belongs to one meter: write it under [[meter]].",
                    key=f"test[{place}].{name}",
                )
    _check_serials(meters)
    rest = {
        key: value for key, value in mapping.items() if key not in (METER, "instrument", "test")
    }
    return tuple(
        {
            **rest,
            "instrument": {**shared, **_instrument(meter, number)},
            "test": list(_tests(meter, number, tests)),
        }
        for number, meter in enumerate(meters)
    )


def bench_key(number: int, key: str | None, mapping: Mapping[str, Any]) -> str | None:
    """Name the place in the bench sheet that a key of the sheet of one meter came from."""
    meter = mapping[METER][number]
    if key is None:
        return f"{METER}[{number}]"
    head, _, rest = key.partition(".")
    name = rest.partition("[")[0]
    if head == "instrument" and (name in meter or name not in mapping.get("instrument", {})):
        return f"{METER}[{number}].{rest or 'serial'}"
    if head.startswith("test[") and name in OWN:
        return f"{METER}[{number}].{name}{head.removeprefix('test')}{rest.removeprefix(name)}"
    return key


def _instrument(meter: Mapping[str, Any], number: int) -> dict[str, Any]:
    known = (*INSTRUMENT, *OWN)
    for name in meter:
        if name not in known:
            raise Refused(
                "this key is not known; known are {known}.",
                key=f"{METER}[{number}].{name}",
                known=", ".join(known),
            )
    return {name: value for name, value in meter.items() if name in INSTRUMENT}


def _tests(
    meter: Mapping[str, Any], number: int, tests: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    columns = {name: meter[name] for name in OWN if name in meter}
    for name, column in columns.items():
        if not isinstance(column, list | tuple) or len(column) != len(tests):
            raise Refused(
                "this is a list with one entry for each of the {count} tests.",
                key=f"{METER}[{number}].{name}",
                count=len(tests),
            )
    for place, test in enumerate(tests):
        yield {**test, **{name: column[place] for name, column in columns.items()}}


def _check_serials(meters: Sequence[Mapping[str, Any]]) -> None:
    seen: dict[tuple[object, object], int] = {}
    for number, meter in enumerate(meters):
        if "serial" not in meter:
            raise Refused("this key is missing.", key=f"{METER}[{number}].serial")
        name = (str(meter.get("maker")), str(meter["serial"]))
        if name in seen:
            raise Refused(
                "serial number {serial} stands under {other} already.",
                key=f"{METER}[{number}].serial",
                serial=meter["serial"],
                other=f"{METER}[{seen[name]}]",
            )
        seen[name] = number


def _tables(mapping: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    given = mapping.get(name, [])
    if not isinstance(given, list | tuple):
        raise Refused("this is a list of tables: write [[{name}]].", key=name, name=name)
    for place, entry in enumerate(given):
        if not isinstance(entry, Mapping):
            raise Refused("this is a table with keys, not a single value.", key=f"{name}[{place}]")
    return given
