"""An empty observation sheet: what is known filled in, what is to be observed left open.

Knows how a routine's proposal, or else its example, becomes a sheet with comments in the language
in force. Refuses to know a number of the law: the core proposes the tests.
"""

import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from acquisition.faults import BadInput
from acquisition.language import t
from acquisition.sheet_writer import is_tables, toml_value
from calibration.blank import BlankTest
from calibration.evaluation import ROUTINES
from calibration.legal_table import LegalTable, applied, legal_table
from calibration.national import national_settings
from calibration.refusal import Refused
from calibration.sheet_keys import Keys

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
"""Where the complete sheet of every routine lies."""
OPEN = ""
"""What stands where something is to be filled in: a sheet with it is refused by its key."""
_KEPT = ("name", "method", "cycle", "comparator")
"""Keys of a test whose word in the example belongs to its structure."""


def proposed_sheet(
    routine: str, given: Mapping[str, Any], today: date
) -> tuple[dict[str, Any], dict[str, str]]:
    """Give an empty sheet with what is given filled in, and what to say beside keys and tests.

    ``given`` is nested as a sheet is. The second answer has comments by key path.
    """
    if routine not in ROUTINES:
        raise BadInput(
            "there is no routine {name}: choose from {known}.",
            name=routine,
            known=", ".join(ROUTINES),
        )
    head = {"routine": routine, "stage": "initial", "date": today}
    names = ROUTINES[routine].proposed_from
    known = {**given.get("instrument", {}), **given.get("test", {})}
    if ROUTINES[routine].propose is None or (names and not known.keys() & set(names)):
        return _from_example(routine, head, given)
    return _from_law(routine, head, given)


def _from_law(
    routine: str, head: dict[str, Any], given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Let the routine propose its tests from the characteristics that are given."""
    propose = ROUTINES[routine].propose
    sheet = {**head, **{k: v for k, v in given.items() if not isinstance(v, Mapping)}}
    instrument, wished = dict(given.get("instrument", {})), given.get("test", {})
    table = _law(routine, sheet)
    try:
        tests = (
            propose(table, Keys(instrument, "instrument"), sheet["stage"], Keys(wished, "test"))
            if propose
            else ()
        )
    except Refused as refused:
        key = (refused.key or "").removeprefix("instrument.").removeprefix("test.")
        if key:  # say how it is given
            key = f"--set {key}" + "=..." * (not refused.evidence)
        raise BadInput(refused.template, place=key, **refused.evidence) from None
    words: dict[str, str] = {}
    around = _around(routine, words) if ROUTINES[routine].proposed_from else {}
    identity = dict.fromkeys(("kind", "maker", "model", "serial"), OPEN)
    sheet["instrument"] = {**around.pop("instrument", identity), **instrument}
    sheet["standards"] = [{"id": OPEN, **given.get("standards", {})}]
    environment = around.pop("environment", {"temperature": OPEN})
    sheet["environment"] = {**environment, **given.get("environment", {})}
    sheet |= around
    sheet["test"] = [_test(test) for test in tests]
    for name in instrument:
        words.pop(f"instrument.{name}", None)
    words |= _words(sheet)
    for number, test in enumerate(tests):
        words[f"test[{number}]"] = f"{t(test.name)} · {test.clause}"
        for key, ends in test.within.items():
            if any(ends) and key in sheet["test"][number]:
                words[f"test[{number}].{key}"] = _between(*ends)
    return sheet, words


def _around(routine: str, words: dict[str, str]) -> dict[str, Any]:
    """Take what the example has beside tests and standards, emptied; of a list its first table."""
    emptied = _emptied(_example(routine), "", words)
    for key in [key for key in words if key.startswith(("test", "standards")) or "." not in key]:
        del words[key]
    return {
        name: value[:1] if is_tables(value) else value
        for name, value in emptied.items()
        if name not in ("test", "standards") and isinstance(value, Mapping | list)
    }


def _between(low: str, high: str) -> str:
    if not high:
        return t("{low} or more", low=low)
    return t("from {low} to {high}", low=low, high=high)


def _law(routine: str, sheet: Mapping[str, Any]) -> LegalTable:
    table = legal_table(sheet.get("table") or ROUTINES[routine].tables[0])
    if "setting" in sheet:
        return applied(table, national_settings(sheet["setting"]))
    return table


def _test(test: BlankTest) -> dict[str, Any]:
    found: dict[str, Any] = {"name": test.name}
    found |= {key: list(v) if isinstance(v, tuple) else v for key, v in test.given.items()}
    found |= {key: [OPEN] * many if many else OPEN for key, many in test.asked.items()}
    return found


def _from_example(
    routine: str, head: dict[str, Any], given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Empty the routine's example; what stood there becomes the comment beside the key."""
    example = _example(routine)
    words: dict[str, str] = {}
    sheet = {**_emptied(example, "", words), **head}
    for key in (*head, "table"):
        words.pop(key, None)
        if key in example and key not in head:
            sheet[key] = example[key]
    for key, value in given.items():
        if not isinstance(value, Mapping):
            sheet[key] = value
        elif isinstance(sheet.get(key), list):
            sheet[key] = [{**sheet[key][0], **value}, *sheet[key][1:]]
        else:
            sheet[key] = {**sheet.get(key, {}), **value}
        for name in value if isinstance(value, Mapping) else ():
            words.pop(f"{key}.{name}", None)
    return sheet, {**_words(sheet), **words}


def _example(routine: str) -> dict[str, Any]:
    file = EXAMPLES / f"{routine}.toml"
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise BadInput("cannot read {file}: {why}", file=file, why=error) from None


def _emptied(table: Mapping[str, Any], place: str, words: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in table.items():
        key = f"{place}.{name}" if place else name
        if isinstance(value, Mapping):
            found[name] = _emptied(value, key, words)
        elif is_tables(value):
            found[name] = [
                _emptied(entry, f"{key}[{number}]", words) for number, entry in enumerate(value)
            ]
        elif place.startswith("test[") and name in _KEPT and not isinstance(value, list):
            found[name] = value
        elif isinstance(value, bool):  # an answer that nobody gave yet
            found[name] = OPEN
            words[key] = "true | false"
        else:
            many = isinstance(value, list)
            found[name] = [OPEN] * len(value) if many else OPEN
            words[key] = t("example: {value}", value=value[0] if many else value)
    return found


def _words(sheet: Mapping[str, Any]) -> dict[str, str]:
    """Say what the keys are that every sheet has."""
    said = {
        "stage": t("initial: tera | subsequent: tera ulang | in_service: pengamatan"),
        "date": t("day of the verification"),
        "instrument": t("the instrument under test, as its type plate says"),
        "instrument.max": t("maximum capacity"),
        "instrument.min": t("minimum capacity"),
        "instrument.e": t("verification scale interval"),
        "instrument.d": t("interval of the indication that is used"),
        "standards": t("by its id in the register of config.toml, or in full"),
        "environment": t("what was measured of it"),
    }
    columns = {
        "load": t("what stands on it, with its unit"),
        "indication": t("digits as displayed, with their unit"),
        "added_load": t("ΔL until the indication changes"),
        "indication_after": t("indication after the extra load"),
        "indication_further": t("indication after the further probe"),
        "extra_load": t("what was added"),
        "visible": t("true or false: it moved visibly"),
        "displacement": t("how far it moved, for example 5 mm"),
        "reference": t("by the reference, not yet corrected"),
        "reading": t("on the neck, from the mark: above it is more"),
        "start": t("reading of the meter before the run"),
        "end": t("reading of the meter after the run"),
        "volume": t("volume that is aimed at"),
        "measure_temperature": t("of the liquid in the test measure"),
        "meter_temperature": t("of the liquid at the meter"),
        "tank_temperature": t("of the water in the tank"),
        "drip_time": t("how long it dripped, for example 30 s"),
        "wetted": "true | false",
        "passed": "true | false",
        "comparator": t("its id"),
    }
    for number, test in enumerate(sheet.get("test", ())):
        open_keys = (
            key
            for key, value in test.items()
            if OPEN in (value if isinstance(value, list) else [value])
        )
        said |= {f"test[{number}].{key}": columns[key] for key in open_keys if key in columns}
        if test.get("method") == "probe" and test["name"] not in ("zero", "tare"):
            said[f"test[{number}].indication_after"] = t("after the probe; - where none is needed")
    return said


def commented(sheet: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """Write a sheet as TOML with a comment beside the keys that have one."""
    return "\n".join(_lines(sheet, "", "", words)).strip("\n") + "\n"


def _lines(
    table: Mapping[str, Any], path: str, place: str, words: Mapping[str, str]
) -> Iterator[str]:
    plain = {k: v for k, v in table.items() if not isinstance(v, Mapping) and not is_tables(v)}
    width = max(
        (len(f"{key} = {toml_value(v)}") for key, v in plain.items() if not isinstance(v, list)),
        default=0,
    )
    for name, value in plain.items():
        line = f"{name} = {toml_value(value)}"
        word = words.get(f"{place}.{name}" if place else name)
        yield f"{line.ljust(min(width, 40))}  # {word}" if word else line
    for name, value in table.items():
        head = f"{path}.{name}" if path else name
        key = f"{place}.{name}" if place else name
        if isinstance(value, Mapping):
            yield from ("", _heading(f"[{head}]", words.get(key)))
            yield from _lines(value, head, key, words)
        elif is_tables(value):
            for number, entry in enumerate(value):
                one = f"{key}[{number}]"
                word = words.get(one) or (words.get(key) if number == 0 else None)
                yield from ("", _heading(f"[[{head}]]", word))
                yield from _lines(entry, head, one, words)


def _heading(text: str, word: str | None) -> str:
    return f"{text.ljust(32)} # {word}" if word else text
