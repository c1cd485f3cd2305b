"""The plan puts its points where the Recommendation wants them."""

import os
from decimal import Decimal

import pytest

from acquisition.faults import BadInput
from acquisition.hands import TechnicianHand
from acquisition.routine import Action, Instruction, NawiCharacteristics, nawi_plan, volume_plan
from calibration.units import Quantity

FIFTEEN = {"class": "III", "max": "15 kg", "e": "5 g"}


def loads(given: dict[str, str], test: str) -> list[Decimal]:
    plan = nawi_plan(NawiCharacteristics.of(given))
    return [p.instruction.quantity.magnitude for p in plan if p.test == test]


def test_weighing_goes_up_through_the_steps_of_the_limits_and_down_again() -> None:
    weighing = loads(FIFTEEN, "weighing")
    assert weighing == [0, 100, 2500, 10000, 15000, 10000, 2500, 100, 0]


@pytest.mark.parametrize(
    ("given", "runs"),
    [
        (FIFTEEN, 3),
        ({"class": "II", "max": "600 g", "e": "0.01 g"}, 6),
        ({"class": "I", "max": "200 g", "e": "0.001 g"}, 6),
        ({"class": "IIII", "max": "50 kg", "e": "50 g"}, 3),
    ],
)
def test_every_class_gets_its_points_and_counts(given: dict[str, str], runs: int) -> None:
    weighing = loads(given, "weighing")
    assert len(set(weighing)) >= 5
    assert min(weighing) == 0
    assert max(weighing) == NawiCharacteristics.of(given).max
    assert len(loads(given, "repeatability")) == runs
    eccentricity = loads(given, "eccentricity")
    assert len(eccentricity) == 5
    assert all(load * 3 >= max(weighing) for load in eccentricity)


def test_added_loads_are_used_unless_the_interval_is_fine() -> None:
    coarse = nawi_plan(NawiCharacteristics.of(FIFTEEN))
    fine = nawi_plan(NawiCharacteristics.of(FIFTEEN | {"d": "1 g"}))
    assert all(p.by_added_load for p in coarse)
    assert not any(p.by_added_load for p in fine)


def test_missing_characteristics_are_named() -> None:
    with pytest.raises(BadInput, match=r"characteristics\.e"):
        NawiCharacteristics.of({"class": "III", "max": "15 kg"})


def test_each_flow_rate_is_delivered_as_often_as_asked() -> None:
    rate, volume = Quantity(Decimal(50), "L/min"), Quantity(Decimal(100), "L")
    plan = volume_plan([(rate, volume, 3), (rate, volume, 2)])
    assert [p.test for p in plan] == ["accuracy 1"] * 3 + ["accuracy 2"] * 2
    assert {p.instruction.action for p in plan} == {Action.DELIVER}


async def test_the_added_load_comes_off_before_another_load_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERA_LANG", "en")
    read, write = os.pipe()
    with os.fdopen(read) as answers, os.fdopen(write, "w") as technician:
        technician.write("\n\n\n")
        technician.flush()
        monkeypatch.setattr("sys.stdin", answers)
        hand = TechnicianHand("T-1")
        gram = Quantity(Decimal("0.5"), "g")
        for action, load in (
            (Action.ADD, gram),
            (Action.ADD, gram),
            (Action.PLACE, Quantity(Decimal(5), "kg")),
        ):
            await hand.do(Instruction(action, load))
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("T-1: ")]
    assert said == [
        "T-1: added load now 0.5 g in all",
        "T-1: added load now 0.5 g in all",
        "T-1: take the added load off; place 5 kg in the centre",
    ]
