"""Laws of the weighing routine that hold for every sheet: units, powers of ten, worse indications."""

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.verification import Verdict
from tests.nawi import NONCONFORMING, decided, one, sheet, under_settings

UNITS = {"kg": -3, "g": 0, "mg": 3, "t": -6}
tenths = st.integers(0, 50)
"""ΔL [0.1 g], up to e = 5 g."""
points = st.lists(
    st.tuples(st.integers(0, 3000), st.integers(-4, 4), tenths), min_size=1, max_size=6
)
"""Load [e], indication off by so many e, ΔL."""


def said(grams: Decimal, unit: str) -> str:
    return f"{grams.scaleb(UNITS[unit]):f} {unit}"


def whole_sheet(
    rows: list[tuple[int, int, int]], loads: str, shown: str, scale: int = 0
) -> dict[str, Any]:
    """Write a sheet with its loads and indications in two units, everything times 10^scale."""

    def grams(value: int | Decimal, unit: str) -> str:
        return said(Decimal(value).scaleb(scale), unit)

    first = rows[0]
    columns = {
        "indication": [grams(5 * (n + off), shown) for n, off, _ in rows],
        "added_load": [grams(Decimal(added) / 10, loads) for _, _, added in rows],
    }
    ends = [grams(5 * (first[0] + off), shown) for _, off, _ in rows]
    tests = [
        one("weighing", load=[grams(5 * n, loads) for n, _, _ in rows], **columns),
        one("eccentricity", load=grams(5 * first[0], loads), indication=ends,
            added_load=columns["added_load"]),
        one("repeatability", load=grams(5 * first[0], loads), indication=ends,
            added_load=columns["added_load"]),
        one("discrimination", load=grams(5 * first[0], loads), indication=ends[0],
            indication_after=grams(5 * (first[0] + first[1] + 1), shown)),
    ]  # fmt: skip
    return sheet(*tests, e=grams(5, shown), max=grams(15000, loads))


def verdicts(written: dict[str, Any]) -> list[Verdict]:
    result = decided(written)
    return [result.verdict] + [p.verdict for test in result.tests for p in test.points]


@given(points, st.sampled_from(sorted(UNITS)), st.sampled_from(sorted(UNITS)))
@settings(deadline=None)
def test_units_never_change_a_verdict(
    rows: list[tuple[int, int, int]], loads: str, shown: str
) -> None:
    assert verdicts(whole_sheet(rows, loads, shown)) == verdicts(whole_sheet(rows, "g", "g"))


@given(points, st.integers(1, 4))
@settings(deadline=None)
def test_powers_of_ten_never_change_a_verdict(rows: list[tuple[int, int, int]], scale: int) -> None:
    # downwards class III ends at e = 0.1 g, and Table 3 has other n below 5 g
    assert verdicts(whole_sheet(rows, "g", "g", scale)) == verdicts(whole_sheet(rows, "g", "g"))


@given(points, st.data())
@settings(deadline=None)
def test_a_worse_indication_never_turns_nonconforming_into_conforming(
    rows: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    rows = [(0, 0, 25), *rows]  # E0 = 0
    place = data.draw(st.integers(1, len(rows) - 1))
    load, off, added = rows[place]
    error = 5 * off + Decimal("2.5") - Decimal(added) / 10
    worse = list(rows)
    worse[place] = (load, off + (1 if error >= 0 else -1), added)

    def weighing(some: list[tuple[int, int, int]]) -> Verdict:
        result = decided(sheet(whole_sheet(some, "g", "g")["test"][0]))
        return result.tests[0].points[place].verdict

    if weighing(rows) is NONCONFORMING:
        assert weighing(worse) is NONCONFORMING


@given(
    st.sampled_from([0, 20, 500, 501, 2000, 2001, 3000]),
    st.integers(-5, 5),
    st.sampled_from(["-", "same", "changed"]),
    st.sampled_from(["initial", "subsequent"]),
)
@settings(deadline=None)
def test_nor_does_it_by_the_probe(load: int, off: int, after: str, stage: str) -> None:
    def decide(off: int) -> Verdict:
        shown = 5 * (load + off)
        probe = {"-": "-", "same": f"{shown} g", "changed": f"{shown + 5} g"}[after]
        test = one("weighing", method="probe", load=f"{5 * load} g", indication=f"{shown} g",
                   indication_after=probe)  # fmt: skip
        given_sheet = sheet(test, stage=stage, kind="timbangan elektronik")
        return under_settings(given_sheet).tests[0].points[0].verdict

    if decide(off) is NONCONFORMING:
        assert decide(off + (1 if off >= 0 else -1)) is NONCONFORMING


@given(st.lists(st.integers(-200, 200), min_size=3, max_size=6), st.integers(1, 50))
@settings(deadline=None)
def test_a_wider_range_never_conforms_where_a_narrower_one_does_not(
    offsets: list[int], wider: int
) -> None:
    def spread(offsets: list[int]) -> Verdict:
        shown = [f"{12000 + Decimal(offset) / 10} g" for offset in offsets]
        test = one("repeatability", load="12 kg", indication=shown, d="0.1 g")
        return decided(sheet(test)).tests[0].points[-1].verdict

    stretched = [*offsets, max(offsets) + wider]
    if spread(offsets) is NONCONFORMING:
        assert spread(stretched) is NONCONFORMING
