"""Every published row of limits holds through the command line's own function, ``tera mpe``."""

import csv
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from acquisition.cli import main
from calibration.legal_table import applied
from calibration.mpe import absolute_limits, legal_table, repeatability_limit
from calibration.national import national_settings
from calibration.units import PERCENT, Quantity, parse_quantity

ROWS = list(
    csv.DictReader(
        (Path(__file__).parent / "data" / "mpe_vectors.csv").read_text("utf-8").splitlines()
    )
)
TABLES = {
    "OIML R 76-1": "r76",
    "OIML R 111-1": "r111",
    "OIML R 117-1": "r117",
    "OIML R 49-1": "r49",
    "OIML R 61-1": "r61",
    "OIML R 51-1": "r51",
    "OIML R 50-1": "r50",
    "OIML R 107-1": "r107",
    "OIML R 106-1": "r106",
    "OIML R 134-1": "r134",
    "OIML R 35-1": "r35",
    "OIML R 120": "r120",
    "OIML R 138": "r138",
    "OIML R 137-1": "r137",
    "OIML R 46-1/-2": "r46",
    "OIML R 139-1": "r139",
    "OIML R 21": "r21",
    "OIML R 71": "r71",
    "ID ST TBO (SK Dirjen SPK 131/SPK/KEP/10/2015)": "r76",
    "ID ST Meter Air": "r49",
    "ID EVSE/SPKLU tera (from May 2026)": "id-evse",
}
NO_LIMIT_AT_A_VALUE = {
    "repeatability_range": "a range of several errors: what the volume routine asks",
    "repeatability_range (3 runs per flow rate)": "the same, of the settings of 2014",
    "front_back_difference": "two displays compared: a requirement of the settings of 2014",
    "fare_calculation": "money, and a least digit of its display: a requirement of the table",
}
"""Parameters that ``tera mpe`` cannot be asked, and why."""
CLASSES = {
    "transfer measure (line)": "transfer",
    "transfer measure (brim)": "transfer",
    "drinking measure (line)": "drinking",
    "measuring container bottle": "bottle",
    "cask metal (A)": "cask-metal",
    "cask other (B)": "cask-other",
    "horizontal/inclined cylindrical tank": "horizontal",
    "other tanks (sphere etc.)": "other",
}
"""Kinds of instrument that stand for a class."""
ANY = {
    "r50": ["1 kg", "120 t"],
    "r107": ["1 kg", "120 t"],
    "r106": ["40 t", "2000 t"],
    "r134": ["1 t", "44 t"],
    "r139": ["0.1 kg", "50 kg"],
    "r71": ["1 L", "5000 m³"],
    "r21": ["200 s", "3600 s"],  # from here on 0.1 % is more than the least limit of 0.2 s
    "id-evse": ["0.1 kWh", "50 kWh"],
}
"""Values to ask where a row holds at any."""
GAS = {"qmin": "0.016", "qt": "0.25", "qmax": "2.5"}
CURRENT = {"ist": "0.02", "imin": "0.25", "itr": "0.5", "imax": "60"}
ZONES = {
    "Qmin<=Q<Qt": (["0.016 m3/h", "0.2499m3/h"], GAS),
    "Qt<=Q<=Qmax": (["0.25 m3/h", "2.5m3/h"], GAS),
    "Itr<=I<=Imax;PF=1": (["0.5 A", "60 A"], {**CURRENT, "pf": "1"}),
    "Itr<=I<=Imax;PF 0.5ind..0.8cap": (["0.5 A", "60 A"], {**CURRENT, "pf": "0.5i"}),
    "Imin<=I<Itr;PF=1": (["0.25 A", "0.4999 A"], {**CURRENT, "pf": "1"}),
    "Imin<=I<Itr;PF 0.5ind..0.8cap": (["0.25 A", "0.4999 A"], {**CURRENT, "pf": "0.8c"}),
    # Q2 of the meter Q3 = 2.5 m³/h, R = 80
    "Q2 (uji 2)": (["0.05m3/h"], {"q3": "2.5", "ratio": "80", "temperature": "28"}),
}
"""Zones that stand in place of a value: values at their ends, and what must be given."""


def asked(row: dict[str, str]) -> list[str]:
    """Write a row as the words after ``tera``."""
    table = TABLES[row["recommendation"]]
    stage, kind = row["stage"], row["instrument_kind"]
    words, given, values = [], {}, [f"{row['quantity_value']}{row['quantity_unit']}"]
    stated = dict(re.findall(r"\b([A-Za-z0-9]+)=([^;\]<>=]+)(?=[;\]])", row["parameter"]))
    if row["quantity_value"] == "any":
        values = ANY[table]
    elif row["quantity_value"] in ZONES:
        values, given = ZONES[row["quantity_value"]]
    elif table == "r49":
        names = {"Q3": "q3", "R": "ratio", "T": "temperature"}
        given = {names[n]: v.removesuffix("C") for n, v in stated.items() if n in names}
    else:
        given = {name.lower(): text for name, text in stated.items()}
    ranges = re.search(r"Max=([\d/]+)kg e=([\d/]+)g", kind)
    if ranges:
        pairs = zip(*(group.split("/") for group in ranges.groups()), strict=True)
        given["ranges"] = ",".join(f"{maximum}kg:{e}g" for maximum, e in pairs)
    if kind == "meter liquids":
        given = {**given, "line": "B"}
    if kind.endswith("(brim)"):
        given = {**given, "mark": "brim"}
    if row["recommendation"].startswith("ID ST"):
        words = ["--setting", "id-meter-air" if table == "r49" else "id-tbo"]
        stage = "subsequent" if "tera ulang" in row["parameter"] else stage
    if row["edition"].startswith("1996"):
        table = "r61@1996"
    accuracy_class = CLASSES.get(kind, row["accuracy_class"])
    pairs_given = [word for n, v in given.items() for word in ("--with", f"{n}={v}")]
    return [
        *("mpe", table, "--class", accuracy_class, "--stage", stage, *words),
        *(*pairs_given, "--json", *values),
    ]


def answers(words: list[str], capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Run the command and read its JSON lines."""
    code = main(words)
    out = capsys.readouterr()
    assert code == 0, out.err
    return [
        json.loads(line, parse_float=Decimal, parse_int=Decimal) for line in out.out.splitlines()
    ]


def in_unit(limit: Decimal | None, answer: dict[str, Any], unit: str) -> Decimal | None:
    """Express a limit in the unit of the published row."""
    if limit is None or answer["limit_unit"] == unit:
        return limit
    value = Quantity(answer["value"], answer["unit"])
    if answer["limit_unit"] == PERCENT:
        return Quantity(limit * value.magnitude / 100, value.unit).to(unit).magnitude
    if unit == PERCENT:
        return limit * 100 / value.to(answer["limit_unit"]).magnitude
    return Quantity(limit, answer["limit_unit"]).to(unit).magnitude


def named(row: dict[str, str]) -> str:
    return " ".join(
        row[name]
        for name in ("recommendation", "accuracy_class", "stage", "parameter", "quantity_value")
    )


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row["parameter"] not in NO_LIMIT_AT_A_VALUE], ids=named
)
def test_every_published_limit_holds(
    row: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    unit = row["mpe_unit"].partition(" ")[0]  # "% (min 0.2 s)": the least limit has its own test
    expected = Decimal(row["mpe_value"])
    low = row["confidence"] in ("knowledge_medium", "knowledge_low")
    for answer in answers(asked(row), capsys):
        lower, upper = (in_unit(answer[side], answer, unit) for side in ("lower", "upper"))
        if row["parameter"] == "brim_lower_limit":
            assert lower == expected == 0
        else:
            assert upper == expected
            if row["parameter"] == "brim_upper_limit":
                assert lower == 0
            elif row["parameter"] == "standard_deviation":
                assert lower is None
            else:
                assert lower == -expected
        # Doubling at tera ulang was read in an office's software, not in the decree.
        doubled = row["recommendation"].startswith("ID ST") and "tera ulang" in row["parameter"]
        assert answer["provisional"] is (low or doubled)


def repeatability(row: dict[str, str]) -> Decimal:
    """Ask what the volume routine asks."""
    table = legal_table("r117")
    if row["recommendation"].startswith("ID"):
        table = applied(table, national_settings("id-pubbm@2014"))
    found = repeatability_limit(
        table,
        accuracy_class=row["accuracy_class"],
        values=[parse_quantity(f"{row['quantity_value']} {row['quantity_unit']}")],
    )
    assert (found.unit, found.lower, found.provisional) == (row["mpe_unit"], (None,), False)
    assert found.upper[0] is not None
    return found.upper[0]


def front_back(row: dict[str, str]) -> Decimal:
    """Read the requirement, as a routine with two displays does."""
    table = applied(legal_table("r117"), national_settings("id-pubbm@2014"))
    stated = table.rules["requirement"]["front_back_difference"]
    assert parse_quantity(stated["at"]) == parse_quantity(f"{row['quantity_value']} L")
    return parse_quantity(stated["limit"]).to(row["mpe_unit"]).magnitude


def fare(row: dict[str, str]) -> Decimal:
    """Read the requirement, as a taximeter routine does."""
    stated = legal_table("r21").rules["requirement"]["fare"]
    assert row["mpe_unit"] == f"% (min {stated['at_least_digits']} least digit)"
    percent: Decimal = stated["percent"]
    return percent


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row["parameter"] in NO_LIMIT_AT_A_VALUE], ids=named
)
def test_rows_that_are_no_limit_at_a_value_hold_where_they_are_used(row: dict[str, str]) -> None:
    ask = {"front_back_difference": front_back, "fare_calculation": fare}
    assert ask.get(row["parameter"], repeatability)(row) == Decimal(row["mpe_value"])


@pytest.mark.parametrize(
    ("words", "limit", "unit"),
    [
        (["r21", "--class", "-", "1s"], "0.2", "s"),
        (["r21", "--class", "-", "199.999 s"], "0.2", "s"),
        (["r21", "--class", "-", "1 km"], "4", "m"),
        (["r21", "--class", "-", "2000.5 m"], "4.001", "m"),
    ],
)
def test_a_taximeter_has_a_least_limit(
    words: list[str], limit: str, unit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (answer,) = answers(["mpe", "--json", *words], capsys)
    assert (answer["upper"], answer["limit_unit"]) == (Decimal(limit), unit)


def test_no_published_row_is_left_out() -> None:
    assert len(ROWS) == 490
    apart = [row for row in ROWS if row["parameter"] in NO_LIMIT_AT_A_VALUE]
    assert len(apart) == 7
    assert {row["recommendation"] for row in ROWS} - set(TABLES) == {
        "ID ST PUBBM (PPSDK training 2014, superseded)"
    }


def test_a_relative_limit_of_a_row_is_absolute_where_the_routine_needs_it() -> None:
    table = applied(legal_table("r117"), national_settings("id-pubbm@2014"))
    volume = parse_quantity("20 L")
    found = repeatability_limit(table, accuracy_class="0.5", values=[volume])
    assert absolute_limits(found, [volume]).upper == (Decimal("0.02"),)
