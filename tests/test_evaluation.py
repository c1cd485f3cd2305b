"""A sheet becomes a verdict: lawful or not, decided or open, and always with its reasons."""

import copy
import datetime
import json
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from broker.schema import __file__ as schema_place
from calibration.evaluation import Standard, evaluate
from calibration.mpe import legal_table
from calibration.national import national_settings
from calibration.refusal import Refused
from calibration.sheet import parse_sheet
from calibration.units import parse_quantity
from calibration.verification import Reason, Verdict, Verification

EXAMPLES = Path(__file__).parent.parent / "examples"
R76, R117 = legal_table("r76@2006").digest, legal_table("r117@2007").digest
R49 = legal_table("r49@2013").digest
WEIGHTS = Standard(
    id="W-07",
    kind="weights",
    accuracy_class="M1",
    certificate="contoh / example",
    due=datetime.date(2027, 6, 30),
    mpe=parse_quantity("0.75 g"),
)


def example(name: str) -> dict[str, Any]:
    return tomllib.loads((EXAMPLES / f"{name}.toml").read_text(), parse_float=Decimal)


def decided(sheet: dict[str, Any], *register: Standard, approved: tuple[str, ...]) -> Verification:
    return evaluate(parse_sheet(sheet), standards={s.id: s for s in register}, approved=approved)


def codes(verification: Verification) -> list[str]:
    return [reason.code for reason in verification.reasons]


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("nawi", Verdict.CONFORMING),
        ("nawi-cerapan-kontrak", Verdict.INDETERMINATE),
        ("volume-meter", Verdict.CONFORMING),
        ("volume-meter-gravimetric", Verdict.CONFORMING),
        ("fuel-dispenser", Verdict.CONFORMING),
        ("water-meter", Verdict.CONFORMING),
    ],
)
def test_every_example_sheet_is_evaluated(name: str, verdict: Verdict) -> None:
    result = decided(example(name), WEIGHTS, approved=(R76, R117, R49))
    assert result.verdict is verdict
    assert result.founded
    assert result.legal is (verdict is not Verdict.INDETERMINATE)
    assert result.decision_rule == "simple acceptance"


def test_an_example_covers_every_test_of_the_weighing_routine() -> None:
    assert [test["name"] for test in example("nawi")["test"]] == [
        "zero", "weighing", "eccentricity", "repeatability", "discrimination", "tare",
    ]  # fmt: skip


def test_the_sheet_of_the_contract_conforms_in_weighing_and_names_every_missing_test() -> None:
    result = decided(example("nawi-cerapan-kontrak"), WEIGHTS, approved=(R76,))
    (weighing,) = result.tests
    assert weighing.verdict is Verdict.CONFORMING
    assert [point.error for point in weighing.points] == [0, 0, Decimal("0.5"), 4, Decimal("5.5")]
    limits = [Decimal("2.5"), Decimal("2.5"), 5, 5, Decimal("7.5")]
    assert [point.upper for point in weighing.points] == limits
    assert [point.lower for point in weighing.points] == [-limit for limit in limits]
    assert result.verdict is Verdict.INDETERMINATE
    assert [str(reason) for reason in result.reasons] == [
        "test zero is missing (R 76-1 8.3.3).",
        "test eccentricity is missing (R 76-1 8.3.3).",
        "test repeatability is missing (R 76-1 8.3.3).",
    ]


def test_an_error_beyond_its_limit_decides_even_while_tests_are_missing() -> None:
    sheet = example("nawi-cerapan-kontrak")
    sheet["test"][0]["indication"][4] = "15010 g"
    result = decided(sheet, WEIGHTS, approved=(R76,))
    assert result.verdict is Verdict.NONCONFORMING
    assert str(result.reasons[0]) == (
        "weighing, point 5 at 15000 g: the error 10.5 g is not within -7.5 g to 7.5 g "
        "(R 76-1 3.5.1 Table 6)."
    )


@pytest.mark.parametrize("test", ["zero", "weighing", "eccentricity", "repeatability", "tare"])
@pytest.mark.parametrize(
    ("stage", "clause"),
    [("initial", "8.3.3"), ("subsequent", "8.4.1, 8.3.3"), ("in_service", "8.4.2, 8.3.3")],
)
def test_a_wanted_test_that_is_missing_leaves_the_verdict_open(
    test: str, stage: str, clause: str
) -> None:
    sheet = example("nawi")
    sheet["stage"] = stage
    sheet["test"] = [entry for entry in sheet["test"] if entry["name"] != test]
    result = decided(sheet, approved=(R76,))
    assert result.verdict is Verdict.INDETERMINATE
    assert f"test {test} is missing (R 76-1 {clause})." in map(str, result.reasons)


def test_tare_is_wanted_only_of_an_instrument_that_has_the_device() -> None:
    sheet = example("nawi")
    sheet["instrument"]["tare"] = False
    sheet["test"] = [entry for entry in sheet["test"] if entry["name"] != "tare"]
    assert decided(sheet, approved=(R76,)).verdict is Verdict.CONFORMING


ILLEGAL: list[tuple[str, tuple[Standard, ...], tuple[str, ...], str]] = [
    ("no table approved", (WEIGHTS,), (), "table-not-approved"),
    ("another table approved", (WEIGHTS,), (R117,), "table-not-approved"),
    ("unknown standard", (), (R76,), "standard-unknown"),
    (
        "certificate ended the day before",
        (Standard(id="W-07", due=datetime.date(2026, 11, 23), mpe=parse_quantity("0.75 g")),),
        (R76,),
        "standard-expired",
    ),
    (
        "no due date",
        (Standard(id="W-07", mpe=parse_quantity("0.75 g")),),
        (R76,),
        "standard-undated",
    ),
    (
        "nothing known of its error",
        (Standard(id="W-07", due=datetime.date(2026, 11, 24)),),
        (R76,),
        "standard-not-assessed",
    ),
    (
        "just over a third of 2.5 g",
        (Standard(id="W-07", due=datetime.date(2026, 11, 24), mpe=parse_quantity("0.834 g")),),
        (R76,),
        "standard-inadequate",
    ),
    (
        "uncertainty counts like an error",
        (
            Standard(
                id="W-07",
                due=datetime.date(2026, 11, 24),
                expanded_uncertainty=parse_quantity("0.1 %"),
            ),
        ),
        (R76,),
        "standard-inadequate",
    ),
    (
        "a thermometer weighs nothing",
        (Standard(id="W-07", due=datetime.date(2026, 11, 24), mpe=parse_quantity("0.2 °C")),),
        (R76,),
        "standard-unfit",
    ),
]


@pytest.mark.parametrize(
    ("register", "approved", "code"), [row[1:] for row in ILLEGAL], ids=[row[0] for row in ILLEGAL]
)
def test_a_verdict_without_its_foundation_is_computed_but_not_legal(
    register: tuple[Standard, ...], approved: tuple[str, ...], code: str
) -> None:
    sheet = example("nawi")
    sheet["standards"] = [{"id": "W-07"}]
    result = decided(sheet, *register, approved=approved)
    assert result.verdict is Verdict.CONFORMING
    assert result.legal is False
    assert code in codes(result)


def test_an_office_that_approved_a_provisional_number_vouches_for_it_and_the_result_says_so() -> (
    None
):
    sheet = example("nawi") | {"stage": "subsequent", "setting": "id-tbo@2015"}
    settings = national_settings("id-tbo@2015").digest
    result = decided(sheet, WEIGHTS, approved=(R76, settings))
    assert (result.legal, result.provisional) == (True, True)
    assert codes(result) == ["provisional"]
    assert codes(decided(sheet, WEIGHTS, approved=(R76,)))[-1] == "settings-not-approved"


def test_what_is_not_decided_is_no_legal_verdict() -> None:
    sheet = example("nawi")
    assert decided(sheet, WEIGHTS, approved=(R76,)).legal
    sheet["test"] = [test for test in sheet["test"] if test["name"] != "repeatability"]
    result = decided(sheet, WEIGHTS, approved=(R76,))
    assert (result.verdict, result.founded) == (Verdict.INDETERMINATE, True)
    assert result.legal is False
    assert result.to_dict()["legal"] is False


def test_a_standard_is_good_through_its_last_day_and_up_to_exactly_one_third() -> None:
    sheet = example("nawi")
    sheet["standards"] = [{"id": "W-07"}]
    last = Standard(id="W-07", due=datetime.date(2026, 11, 24), mpe=parse_quantity("0.8333 g"))
    assert decided(sheet, last, approved=(R76,)).legal
    sheet["instrument"] |= {"max": "30 kg", "e": "10 g", "d": "1 g"}
    sheet["test"] = [{"name": "weighing", "load": ["0 g", "3 kg"], "indication": ["0 g", "3 kg"]}]
    for error, legal in (("1.6666 g", True), ("1.6667 g", False), ("0.0555 %", True)):
        exact = Standard(id="W-07", due=datetime.date(2026, 11, 24), mpe=parse_quantity(error))
        assert decided(sheet, exact, approved=(R76,)).founded is legal
    sheet["instrument"] |= {"max": "150 kg", "e": "50 g", "d": "5 g"}
    sheet["stage"] = "in_service"
    sheet["test"][0] |= {"load": ["0 g", "150 kg"], "indication": ["0 g", "150 kg"]}
    for error, legal in (("50 g", True), ("50.001 g", False)):  # 3000 e: 150 g
        exact = Standard(id="W-07", due=datetime.date(2026, 11, 24), mpe=parse_quantity(error))
        assert decided(sheet, exact, approved=(R76,)).founded is legal


def test_errors_of_standards_used_together_add() -> None:
    sheet = example("nawi")
    sheet["standards"] = [{"id": "A"}, {"id": "B"}]
    due = datetime.date(2026, 11, 24)
    half = [Standard(id=name, due=due, mpe=parse_quantity("0.5 g")) for name in "AB"]
    assert codes(decided(sheet, *half, approved=(R76,))) == ["standard-inadequate"]


def test_a_standard_given_in_full_may_not_contradict_the_register() -> None:
    sheet = example("nawi")
    expired = Standard(id="W-07", due=datetime.date(2020, 1, 1), mpe=parse_quantity("0.75 g"))
    result = decided(sheet, expired, approved=(R76,))
    assert result.legal is False
    assert codes(result) == ["standard-contradicts", "standard-expired"]


def test_a_verdict_without_any_standard_is_not_legal() -> None:
    sheet = example("nawi")
    del sheet["standards"]
    assert codes(decided(sheet, approved=(R76,))) == ["standard-none"]


@pytest.mark.parametrize("table", ["r117", "r76@1992", "nonsense"])
def test_a_sheet_cannot_pick_the_law_of_another_instrument(table: str) -> None:
    sheet = example("nawi")
    sheet["table"] = table
    with pytest.raises(Refused, match=r"^table: "):
        decided(sheet, approved=())


def test_the_law_must_be_in_force_on_the_day_of_the_sheet() -> None:
    sheet = example("nawi")
    sheet["date"] = "1999-01-01"
    assert "table-not-in-force" in codes(decided(sheet, WEIGHTS, approved=(R76,)))
    del sheet["table"]  # nobody named an edition: there is none to take
    with pytest.raises(Refused, match=r"^table: "):
        decided(sheet, approved=())


def test_the_result_has_the_shape_of_the_record() -> None:
    import jsonschema_rs
    import simplejson

    schema = json.loads((Path(schema_place).parent / "verdict.json").read_text())
    for name in ("nawi", "volume-meter", "nawi-cerapan-kontrak"):
        body = decided(example(name), approved=()).to_dict()
        plain = json.loads(simplejson.dumps(body, use_decimal=True))
        assert jsonschema_rs.is_valid(schema["properties"]["tests"], plain["tests"])
        assert [type(reason) for reason in plain["reasons"]] == [str] * len(plain["reasons"])


def test_evaluating_leaves_the_sheet_as_it_was() -> None:
    sheet = example("nawi")
    before = copy.deepcopy(sheet)
    decided(sheet, approved=())
    assert sheet == before


def test_a_reason_keeps_its_template_for_translation() -> None:
    result = decided(example("nawi-cerapan-kontrak"), approved=())
    for reason in result.reasons:
        assert isinstance(reason, Reason)
        assert str(reason) == reason.template.format(**reason.values)
