"""The weights behind each load: what makes it, one third of the limit, and substitution loads."""

import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from calibration.mpe import legal_table
from calibration.refusal import Refused
from calibration.routines.weighing_weights import _chosen
from calibration.standard import CalibrationPoint, Standard
from calibration.units import parse_quantity
from calibration.verification import Verification
from tests.nawi import (
    CONFORMING,
    INDETERMINATE,
    codes,
    decided,
    example,
    one,
    only,
    sheet,
)

TABLES = (legal_table("r76@2006").digest, legal_table("r111@2004").digest)
DUE = datetime.date(2027, 6, 30)


def weights(accuracy_class: str | None, *nominals: str, **more: Any) -> Standard:
    return Standard(
        id="W",
        accuracy_class=accuracy_class,
        due=DUE,
        weights=tuple(map(parse_quantity, nominals)),
        **more,
    )


def said(result: Verification) -> str:
    return " ".join(map(str, result.reasons))


def weighed(*loads: str, standards: list[str] | None = None, **instrument: str) -> dict[str, Any]:
    given = sheet(one("weighing", load=list(loads), indication=list(loads)), d="1 g", **instrument)
    given["standards"] = [{"id": name} for name in standards or ["W"]]
    return given


@pytest.mark.parametrize(
    ("accuracy_class", "legal"), [("F2", True), ("M1", True), ("M2", True), ("M3", False)]
)
def test_worked_check_of_15_kg_by_5_g_with_weights_of_10_kg_and_5_kg(
    accuracy_class: str, legal: bool
) -> None:
    # MPE 7.5 g at Max, a third is 2.5 g: M1 0.75 g, M2 2.4 g (just), M3 7.5 g
    result = decided(weighed("15 kg"), weights(accuracy_class, "10 kg", "5 kg"), approved=TABLES)
    assert result.founded is legal
    assert ("standard-inadequate" in codes(result)) is not legal
    if accuracy_class == "M1":
        assert "15000 g: W: 10000 + 5000 g; their errors add to 0.75 g" in said(result)
    if accuracy_class == "M3":
        assert "their error 7.5 g exceeds one third of the limit 7.5 g" in str(result.reasons[-1])


def test_every_load_is_checked_not_only_the_largest() -> None:
    # 2.5 kg: the limit is 2.5 g; M2 of 2 kg + 500 g errs by 0.38 g, M3 of 1.25 g by more than a third
    loads, nominals = ("2500 g",), ("2 kg", "500 g")
    assert decided(weighed(*loads), weights("M2", *nominals), approved=TABLES).founded
    assert not decided(weighed(*loads), weights("M3", *nominals), approved=TABLES).founded


@pytest.mark.parametrize(
    ("load", "lawful"), [("8 kg", True), ("9 kg", False), ("0.5 kg", False), ("19 kg", False)]
)
def test_a_load_that_the_weights_do_not_make_is_refused(load: str, lawful: bool) -> None:
    given = weighed(load, max="30 kg", e="10 g")
    register = weights("M1", "10 kg", "5 kg", "2 kg", "1 kg")
    if lawful:
        assert decided(given, register, approved=TABLES).founded
        return
    with pytest.raises(Refused) as refused:
        decided(given, register)
    assert refused.value.key == "test[0].load[0]"
    assert "cannot be built from the weights of W" in str(refused.value)


def test_sets_of_several_standards_are_used_together() -> None:
    given = weighed("12 kg", standards=["A", "B"])
    sets = [
        Standard(id=name, accuracy_class="M1", due=DUE, weights=(parse_quantity(nominal),))
        for name, nominal in (("A", "10 kg"), ("B", "2 kg"))
    ]
    result = decided(given, *sets, approved=TABLES)
    assert result.founded
    assert "A: 10000 g; B: 2000 g; their errors add to 0.6 g" in said(result)


@pytest.mark.parametrize(
    ("nominals", "load", "chosen"),
    [
        (["5", "3", "3"], "6", [1, 2]),  # the largest first, and back where that leads nowhere
        (["10", "5", "2", "2", "1"], "9", [1, 2, 3]),
        (["10", "5", "2", "2", "1"], "21", None),
        (["0.5", "0.2", "0.2", "0.1"], "0.45", None),
        (["20"] * 60, "1200", list(range(60))),
        (["20"] * 60, "1190", None),
        (["1"], "0", []),
    ],
)
def test_weights_are_chosen_from_the_largest(
    nominals: list[str], load: str, chosen: list[int] | None
) -> None:
    assert _chosen([Decimal(n) for n in nominals], Decimal(load)) == chosen


@drawn(st.lists(st.sampled_from([1, 2, 2, 5, 10, 20, 50, 100]), min_size=1, max_size=12), st.data())
def test_every_sum_of_some_of_the_weights_is_found(
    nominals: list[int], data: st.DataObject
) -> None:
    nominals.sort(reverse=True)
    some = data.draw(st.lists(st.sampled_from(range(len(nominals))), unique=True))
    load = sum(nominals[place] for place in some)
    chosen = _chosen([Decimal(n) for n in nominals], Decimal(load))
    assert chosen is not None
    assert len(set(chosen)) == len(chosen)
    assert sum(nominals[place] for place in chosen) == load


def test_weights_of_class_e2_count_by_their_uncertainty() -> None:
    point = CalibrationPoint(*map(parse_quantity, ("100 g", "0.02 mg", "0.05 mg")))
    given = sheet(one("weighing", load="100 g", indication="100.0000 g", d="0.1 mg"))
    given["instrument"] |= {"class": "I", "max": "200 g", "e": "1 mg"}
    given["standards"] = [{"id": "W"}]
    # the limit is 1 mg at 100 000 e; U = 0.05 mg against one third
    register = weights("E2", "100 g", points=(point,))
    result = decided(given, register, approved=TABLES)
    assert result.founded
    assert "add to 0.05 mg" in said(result)
    quantity = only(result, "weighing").points[0].budget[0]
    assert (quantity["quantity"], quantity["distribution"]) == ("weights W", "normal")
    # of a lower class only the limit of the class counts, whatever the certificate says
    register = weights("F2", "100 g", points=(point,))
    result = decided(given, register, approved=TABLES)
    assert "standard-inadequate" in codes(result)  # 1.6 mg


@pytest.mark.parametrize(("accuracy_class", "legal"), [("E2", True), ("F1", False), (None, False)])
def test_of_e2_as_a_whole_the_uncertainty_counts_and_of_others_the_larger(
    accuracy_class: str | None, legal: bool
) -> None:
    stated = {"expanded_uncertainty": "2.5 g", "mpe": "2.6 g"}  # one third of 7.5 g is 2.5 g
    register = Standard(
        id="W",
        accuracy_class=accuracy_class,
        due=DUE,
        **{name: parse_quantity(text) for name, text in stated.items()},
    )
    assert decided(weighed("15 kg"), register, approved=TABLES).founded is legal


def test_weights_without_a_class_count_with_deviation_and_uncertainty() -> None:
    point = CalibrationPoint(*map(parse_quantity, ("5 kg", "-0.2 g", "0.1 g")))
    register = weights(None, "5 kg", points=(point,))
    result = decided(weighed("5 kg"), register, approved=TABLES)
    assert "their errors add to 0.3 g" in said(result)
    with pytest.raises(Refused, match="neither a class nor a calibrated value"):
        decided(weighed("5 kg"), weights(None, "5 kg", "2 kg", points=(point,)))


@pytest.mark.parametrize(
    ("accuracy_class", "nominal", "why"),
    [("M9", "5 kg", "no accuracy class"), ("M1", "4 kg", "no nominal value of this class")],
)
def test_weights_that_r_111_does_not_know_are_refused(
    accuracy_class: str, nominal: str, why: str
) -> None:
    with pytest.raises(Refused, match=why) as refused:
        decided(weighed(nominal), weights(accuracy_class, nominal))
    assert refused.value.key is not None
    assert refused.value.key.startswith("standards W")


def test_the_table_of_the_weights_needs_approval_too() -> None:
    result = decided(weighed("5 kg"), weights("M1", "5 kg"), approved=TABLES[:1])
    assert not result.founded
    assert "the office has not approved table r111@2004." in map(str, result.reasons)


def test_a_thermometer_beside_the_weights_is_still_assessed() -> None:
    given = weighed("5 kg", standards=["W", "T"])
    dumb = Standard(id="T", due=DUE)
    assert "standard-not-assessed" in codes(decided(given, weights("M1", "5 kg"), dumb))
    thermometer = Standard(id="T", due=DUE, mpe=parse_quantity("0.2 °C"))
    assert decided(given, weights("M1", "5 kg"), thermometer, approved=TABLES).founded


def bridge(**changes: Any) -> dict[str, Any]:
    """Change columns of the weighing test of the example of a weighbridge."""
    given = example("nawi-jembatan-timbang")
    (weighing,) = (test for test in given["test"] if test["name"] == "weighing")
    weighing |= changes
    return given


def near_substitution(given: dict[str, Any]) -> dict[str, Any]:
    series = (t for t in given["test"] if (t["name"], t["load"]) == ("repeatability", "20 t"))
    found: dict[str, Any] = next(series)
    return found


def test_the_weighbridge_of_the_example_conforms_with_a_third_of_max_in_weights() -> None:
    assert decided(bridge()).verdict is CONFORMING


@pytest.mark.parametrize(
    ("added", "enough"),
    [
        (["10 kg", "12 kg", "16 kg"], True),  # 6 kg: exactly 0.3 e
        (["10 kg", "12 kg", "16.1 kg"], False),
        (["10 kg", "12 kg"], False),  # two placements are not three
    ],
)
def test_weights_of_a_third_of_max_want_a_repeatability_of_three_tenths_of_e(
    added: list[str], enough: bool
) -> None:
    given = bridge()
    near_substitution(given).update(added_load=added, indication=["20000 kg"] * len(added))
    result = decided(given)
    assert ("standards-too-small" in codes(result)) is not enough
    assert only(result, "weighing").verdict is (CONFORMING if enough else INDETERMINATE)


def test_a_series_far_from_the_substitution_load_does_not_count() -> None:
    given = bridge()
    near_substitution(given).update(load="15 t", indication=["15000 kg"] * 3)
    assert "standards-too-small" in codes(decided(given))


def test_weights_of_half_of_max_need_no_repeatability() -> None:
    given = bridge(
        load=["0 kg", "400 kg", "10 t", "30 t", "60 t"],
        substitution=["0 kg", "0 kg", "0 kg", "0 kg", "30 t"],
        indication=["0 kg", "400 kg", "10000 kg", "30000 kg", "60000 kg"],
        added_load=["10 kg"] * 5,
    )
    given["test"].remove(near_substitution(given))
    given["standards"][0]["weights"] += ["5000 kg"] * 2
    assert "standards-too-small" not in codes(decided(given))


@pytest.mark.parametrize(("added", "enough"), [("14 kg", True), ("14.1 kg", False)])
def test_weights_of_a_fifth_of_max_want_two_tenths_of_e(added: str, enough: bool) -> None:
    steps = ["12 t", "24 t", "36 t", "48 t", "60 t"]
    given = bridge(
        load=["0 kg", "400 kg", *steps],
        substitution=["0 kg", "0 kg", "0 kg", *steps[:-1]],
        indication=["0 kg", "400 kg", *steps],
        added_load=["10 kg"] * 7,
    )
    near = near_substitution(given)
    near |= {
        "load": "12 t",
        "indication": ["12000 kg"] * 3,
        "added_load": ["10 kg", "12 kg", added],
    }
    assert ("standards-too-small" in codes(decided(given))) is not enough


def test_a_substitution_load_is_compared_before_it_is_used() -> None:
    given = bridge(
        load=["0 kg", "400 kg", "10 t", "20 t", "60 t"],
        substitution=["0 kg", "0 kg", "0 kg", "0 kg", "40 t"],
        indication=["0 kg", "400 kg", "10000 kg", "20000 kg", "60000 kg"],
        added_load=["10 kg"] * 5,
    )
    assert "substitution-not-compared" in codes(decided(given))


def test_more_material_than_load_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        decided(bridge(substitution=["0 kg"] * 3 + ["21 t"] + ["0 kg"] * 7))
    assert refused.value.key == "test[4].substitution[3]"


def test_the_error_of_the_standards_adds_with_every_substitution() -> None:
    given = bridge()
    # 20 t of M1 is 1 kg; at 60 t it was used three times: 3 kg of 10 kg
    result = decided(given)
    (point,) = (p for p in only(result, "weighing").points if p.nominal == 60000)
    half_width = float(point.budget[0]["standard_uncertainty"]) * 3**0.5  # type: ignore[arg-type]
    assert half_width == pytest.approx(3, rel=1e-5)
    given["standards"] = [{"id": "AT", "mpe": "3.4 kg", "due": "2027-06-30"}]
    result = decided(given, approved=TABLES)
    assert "too coarse at 400 kg" in str(result.reasons[-1])
    given["standards"][0]["mpe"] = "0.017 %"  # 3.4 kg of 20 t, 10.2 kg of 60 t
    result = decided(given, approved=TABLES)
    assert "too coarse at 40000 kg: their error 6.8 kg" in str(result.reasons[-1])  # limit 20 kg
    given["standards"][0]["mpe"] = "0.0166 %"  # 6.64 kg of 40 t, 9.96 kg of 60 t
    assert decided(given, approved=TABLES).founded


@pytest.mark.parametrize("name", ["eccentricity", "repeatability", "zero"])
def test_only_weighing_has_substitution_loads(name: str) -> None:
    test = one(name, load="5 kg", indication="5 kg", substitution="1 kg")
    with pytest.raises(Refused, match=r"test\[0\]\.substitution: this key is not known"):
        decided(sheet(test))


def test_a_constant_load_of_unknown_value_judges_only_the_range() -> None:
    test = one("repeatability", load="12 kg", indication=["12100 g"] * 3, standard_load=False)
    result = decided(sheet(test, d="1 g"))
    (spread,) = only(result, "repeatability").points
    assert (spread.error, spread.upper, spread.verdict) == (0, Decimal("7.5"), CONFORMING)
