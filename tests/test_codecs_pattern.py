"""A protocol set up in the configuration alone: what it reads, and what is refused with which sentence."""

import re
from decimal import Decimal
from math import comb
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquisition.config import load_station
from acquisition.faults import BadInput
from drivers.codecs import Decoded, codec_named
from drivers.codecs.pattern_syntax import MOST_WAYS, parse
from drivers.errors import BadDriverSettings
from drivers.indication import Condition
from tests.test_codecs import said

STABLE, DYNAMIC = Condition.STABLE, Condition.DYNAMIC
STGS = {
    "pattern": r"(?P<status>ST|US|OL|UL|ER),(?P<mode>GS|NT|TR),(?P<value>[ 0-9.+-]{8})(?P<unit>kg| t)",
    "stable": "ST", "dynamic": "US", "overload": "OL", "underload": "UL", "fault": "ER",
    "gross": "GS", "net": "NT", "tare": "TR",
}  # fmt: skip
D2 = {"pattern": "(?P<value>[0-9.-]{7})", "start": "=", "terminator": "", "length": "7", "reversed": "yes", "unit": "kg"}  # fmt: skip
CARDINAL = {
    "pattern": r"(?P<sign>[ -])(?P<value>\d{6})(?P<unit>lb|kg)(?P<mode>[GN])(?P<status>OC|MO|  )",
    "terminator": r"\r", "stable": "blank", "dynamic": "MO", "overload": "OC", "gross": "G", "net": "N",
    "decimals": "2",
}  # fmt: skip
STX = {"pattern": r"(?P<value> *-?\d+\.?\d*)(?P<status>[MS]?)", "start": r"\x02", "terminator": r"\x03", "stable": "S", "dynamic": "M|blank", "unit": "t"}  # fmt: skip


def shown(
    text: str, unit: str | None = "kg", condition: Condition = STABLE, **more: str
) -> Decoded:
    return Decoded(
        text, Decimal(text), unit, condition, more.get("detail"), more.get("quantity", "weight")
    )


def none(condition: Condition, detail: str) -> Decoded:
    return Decoded("", None, None, condition, detail)


CASES = [
    (STGS, b"ST,GS,   4.876kg\r\n", [shown("4.876")]),
    (STGS, b"US,NT,-  12.34 t\r\n", [shown("-12.34", "t", DYNAMIC, detail="net")]),
    (STGS, b"ST,TR,00001.50kg\r\n", [shown("1.50", quantity="tare")]),
    (STGS, b"OL,GS,        kg\r\n", [none(Condition.OVERLOAD, "overload")]),
    (STGS, b"UL,GS,        kg\r\n", [none(Condition.UNDERLOAD, "underload")]),
    (STGS, b"ER,GS,        kg\r\n", [none(Condition.FAULT, "instrument error")]),
    (STGS, b"ST,GS,        kg\r\n", []),
    (STGS, b"ST,GS,  1.2.3 kg\r\n", []),
    (STGS, b"ST,GS,   4.876lb\r\n", []),
    (STGS, b"ST,XX,   4.876kg\r\n", []),
    (D2, b"=070.150=070.150", [shown("51.070", "kg", DYNAMIC)] * 2),
    (D2, b"=00.100-=00.100-", [shown("-1.00", "kg", DYNAMIC)] * 2),
    (D2, b"=070.15=070.150", [shown("51.070", "kg", DYNAMIC)]),
    (CARDINAL, b"-001234lbG  \r", [shown("-12.34", "lb")]),
    (CARDINAL, b" 000004kgNMO\r", [shown("0.04", "kg", DYNAMIC, detail="net")]),
    (CARDINAL, b" 000004kgNOC\r", [none(Condition.OVERLOAD, "overload")]),
    (STX, b"noise\x02   12.5S\x03\x02  -3.0M\x03\x02  7\x03", [shown("12.5", "t"), shown("-3.0", "t", DYNAMIC), shown("7", "t", DYNAMIC)]),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "stream", "messages"), CASES)
def test_fields_and_markers_say_what_a_frame_means(
    settings: dict[str, str], stream: bytes, messages: list[Decoded]
) -> None:
    codec = codec_named("pattern", settings)
    assert said(codec, [stream]) == messages
    for cut in range(len(stream)):
        assert said(codec, [stream[:cut], stream[cut:]]) == messages
    for message in messages:
        assert said(codec, [codec.encode(message)]) == [message]


def test_a_marker_that_is_not_listed_is_never_a_weight() -> None:
    some = STGS | {"dynamic": ""}
    assert said(codec_named("pattern", some), [b"US,GS,   4.876kg\r\n"]) == []


def test_without_a_status_nothing_is_stable() -> None:
    codec = codec_named("pattern", {"pattern": r"(?P<value>[0-9. -]{8})kg", "unit": "kg"})
    assert said(codec, [b"   4.876kg\r\n"]) == [shown("4.876", "kg", DYNAMIC)]
    assert not codec.tells_stability
    assert codec_named("pattern", STGS).tells_stability


def test_requests_and_units_are_as_set() -> None:
    given_settings = STGS | {
        "poll": r"R\r\n",
        "zero": r"\x1bV",
        "tare_key": "T",
        "units": "kg|t=t|KG=kg",
    }
    codec = codec_named("pattern", given_settings)
    asked = codec.requests
    assert (asked.poll, asked.stream, asked.zero, asked.tare) == (b"R\r\n", None, b"\x1bV", b"T")
    assert codec.units == {"kg": "kg", "t": "t", "KG": "kg"}


REFUSED = [
    ({}, "needs pattern ="),
    ({"pattern": r"[0-9]{6}kg"}, "the named field value"),
    ({"pattern": r"(?P<value>[0-9]{6})(?P<weight>kg)"}, "unknown field weight: choose from value, sign"),
    ({"pattern": r"(?P<value>[0-9]+)+"}, "at character 18: a group may not be repeated"),
    ({"pattern": r"(?P<value>([0-9]+)*)"}, "at character 11: a group is written"),
    ({"pattern": r"(?P<value>(?:[0-9]+)*)"}, "a group may not be repeated"),
    ({"pattern": r"(?P<value>[0-9]++)"}, "a repetition may not be repeated"),
    ({"pattern": r"(?P<value>[0-9]+?)"}, "a repetition may not be repeated"),
    ({"pattern": r"(?=ST)(?P<value>[0-9]+)"}, "at character 1: a group is written"),
    ({"pattern": r"(?P<value>[0-9]+)\1"}, "this sign is not known here"),
    ({"pattern": r"^(?P<value>[0-9]+)"}, "this sign is not known here"),
    ({"pattern": r"(?P<value>[0-9]+"}, "a group is not closed"),
    ({"pattern": r"(?P<value>[0-9]+))"}, "a group is closed that was not opened"),
    ({"pattern": r"(?P<value>[0-9+"}, "this sign is not known here"),
    ({"pattern": r"(?P<value>[9-0]+)"}, "bad character range"),
    ({"pattern": r"(?P<value>a+)(?P<value>b+)"}, "a name may stand only once"),
    ({"pattern": r"(?P<value>[0-9]{5,2})"}, "min repeat greater than max repeat"),
    ({"pattern": r" *\s*.*(?P<value>[0-9]*\.?[0-9]*) *"}, "can match in too many ways"),
    ({"pattern": r"(?P<value>[0-9]+)", "terminator": ""}, "A frame needs a terminator"),
    ({"pattern": r"(?P<value>[0-9]+)", "start": "ab"}, "a start of one byte"),
    ({"pattern": r"(?P<value>[0-9]+)", "start": "€"}, "write other bytes as"),
    ({"pattern": r"(?P<value>[0-9]+)", "length": "0"}, "0 is no length of the protocol pattern"),
    ({"pattern": r"(?P<value>[0-9]+)", "length": "129"}, "longest frame in characters, 1 to 128"),
    ({"pattern": r"(?P<value>[0-9]+)", "units": "KG=kilo"}, "kilo is no unit of a scale"),
    ({"pattern": r"(?P<value>[0-9]+)", "unit": "stone"}, "stone is no unit"),
    ({"pattern": r"(?P<value>[0-9]+)", "reversed": "true"}, "choose from no, yes."),
    ({"pattern": r"(?P<value>[0-9]+)", "regex": "x"}, "has no setting regex: it has pattern, terminator"),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "sentence"), REFUSED)
def test_what_cannot_be_used_is_refused_in_one_sentence(
    settings: dict[str, str], sentence: str
) -> None:
    with pytest.raises(BadDriverSettings) as caught:
        codec_named("pattern", settings)
    assert sentence in str(caught.value)


def steps(choices: tuple, text: str) -> int:  # type: ignore[type-arg]
    """Count what a backtracking reader does at worst, by a reader of our own that keeps count."""
    from drivers.codecs.pattern_syntax import Group

    count = 0

    def run(items: tuple, at: int, rest: list) -> bool:  # type: ignore[type-arg]
        nonlocal count
        count += 1
        if not items:
            return run(rest[0], at, rest[1:]) if rest else at == len(text)
        head, tail = items[0], items[1:]
        if isinstance(head, Group):
            if any(run(choice, at, [tail, *rest]) for choice in head.choices):
                return True
            return head.optional and run(tail, at, rest)
        taken = 0
        most = len(text) if head.most is None else head.most
        while (
            taken < most and at + taken < len(text) and re.fullmatch(head.regex, text[at + taken])
        ):
            taken += 1
        return any(run(tail, at + n, rest) for n in range(taken, head.least - 1, -1))

    for items in choices:
        if run(items, 0, []):
            break
    return count


@pytest.mark.parametrize(
    "pattern",
    [r" *(?P<value>[0-9]+) *", r"(?P<value>[0-9]+)(?:[0-9]+|[0-9]*x)?", r"(?P<value>[ 0]*0*) *", STGS["pattern"]],
)  # fmt: skip
@pytest.mark.parametrize("text", [" " * 40, "0" * 40, "0 " * 20, "0" * 39 + "x", " " * 39 + "0"])
def test_no_frame_keeps_a_sound_pattern_busy(pattern: str, text: str) -> None:
    """The steps that are counted stay below the bound that the pattern was admitted by."""
    sound = parse(pattern, 40)
    assert steps(sound.choices, text) <= 10 * MOST_WAYS


def test_the_bound_grows_with_open_repetitions() -> None:
    parse("(?P<value>[0-9]*)" + "[0-9]*" * 2, 40)
    with pytest.raises(BadDriverSettings, match="too many ways"):
        parse("(?P<value>[0-9]*)" + "[0-9]*" * 3, 40)
    assert comb(43, 3) < MOST_WAYS < comb(44, 4)


@given(
    st.integers(-99_999, 999_999),
    st.integers(0, 3),
    st.sampled_from(["kg", "t"]),
    st.sampled_from([STABLE, DYNAMIC]),
)
def test_what_a_pattern_can_carry_is_read_as_it_was_written(
    counts: int, places: int, unit: str, condition: Condition
) -> None:
    value = Decimal(counts).scaleb(-places)
    codec = codec_named("pattern", STGS)
    message = Decoded(f"{value:f}", value, unit, condition)
    assert said(codec, [codec.encode(message)]) == [message]


@given(st.text(max_size=40))
def test_any_text_is_a_pattern_or_is_refused_with_a_sentence(text: str) -> None:
    try:
        parse(text, 40)
    except BadDriverSettings as refused:
        assert str(refused).startswith("The pattern can")


STATION = """
[office]
code = "3516"
[[bench]]
name = "meja"
routine = "nawi"
[[bench.instrument]]
name = "timbangan"
driver = "pattern"
port = "/dev/ttyUSB0"
[bench.instrument.settings]
pattern = '(?P<status>S|M)(?P<value>[ 0-9.-]{8})(?P<unit>kg)'
stable = "S"
dynamic = "M"
decimals = 2
"""


def test_a_station_file_says_it_all(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(STATION)
    (instrument,) = load_station(path).bench[0].instrument
    assert instrument.settings["decimals"] == "2"
    codec = codec_named(instrument.driver, instrument.settings)
    assert said(codec, [b"S    1234kg\r\n"]) == [shown("12.34")]


@pytest.mark.parametrize(
    ("line", "wrong", "named"),
    [
        ("decimals = 2", "decimals = 9", "15: bench[0].instrument[0].settings.decimals: 9 is no decimals"),
        ("decimals = 2", "decimal = 2", "settings.decimal: The protocol pattern has no setting decimal"),
        ('stable = "S"', "stable = true", None),
        ('stable = "S"', 'stable = ["S"]', "settings.stable"),
        ('driver = "pattern"', 'driver = "radwag"', "settings.pattern: The protocol radwag has no setting pattern"),
        ('driver = "pattern"', 'driver = "pattern"\nmode = "poll"', "use mode = listen"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named_with_its_place(
    tmp_path: Path, line: str, wrong: str, named: str | None
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(STATION.replace(line, wrong))
    if named is None:
        assert load_station(path).bench[0].instrument[0].settings["stable"] == "yes"
        return
    with pytest.raises(BadInput) as caught:
        load_station(path)
    assert named in str(caught.value)
