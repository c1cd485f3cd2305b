"""Sheets of weighing instruments for tests, and what becomes of them."""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

from calibration.evaluation import evaluate
from calibration.national import national_settings
from calibration.sheet import parse_sheet
from calibration.standard import Standard
from calibration.verification import TestResult as Result
from calibration.verification import Verdict, Verification

EXAMPLES = Path(__file__).parent.parent / "examples"
CONFORMING, NONCONFORMING, INDETERMINATE = Verdict


def example(name: str) -> dict[str, Any]:
    """Read an example sheet."""
    return tomllib.loads((EXAMPLES / f"{name}.toml").read_text(), parse_float=Decimal)


def one(name: str, **columns: Any) -> dict[str, Any]:
    """Write one test."""
    return {"name": name, **columns}


def sheet(*tests: dict[str, Any], stage: str = "initial", **instrument: Any) -> dict[str, Any]:
    """Write the sheet of a class III instrument of 15 kg by 5 g; None leaves a key out."""
    scale = {"kind": "scale", "serial": "1", "class": "III", "max": "15 kg", "e": "5 g"}
    stated = {**scale, **{k.strip("_"): v for k, v in instrument.items()}}
    return {
        "routine": "nawi",
        "stage": stage,
        "date": "2026-11-24",
        "instrument": {name: value for name, value in stated.items() if value is not None},
        "test": list(tests),
    }


def decided(
    given: dict[str, Any], *register: Standard, approved: tuple[str, ...] = ()
) -> Verification:
    """Evaluate a sheet."""
    standards = {standard.id: standard for standard in register}
    return evaluate(parse_sheet(given), standards=standards, approved=approved)


def under_settings(given: dict[str, Any], approved: tuple[str, ...] = ()) -> Verification:
    """Evaluate a sheet in an office that works under the Indonesian settings."""
    settings = [national_settings("id-tbo@2015")]
    return evaluate(parse_sheet(given), standards={}, approved=approved, settings=settings)


def only(result: Verification, name: str) -> Result:
    """Give the one test of a name."""
    (test,) = (test for test in result.tests if test.name == name)
    return test


def codes(result: Verification) -> list[str]:
    """List the codes of all reasons."""
    return [reason.code for reason in result.reasons]
