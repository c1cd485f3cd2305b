"""What a simulated instrument is told: every command, every time, and what is refused and how."""

from decimal import Decimal

import pytest

from acquisition.day_script import OF_A_METER, OF_A_SCALE, Command, day, help_on, understood
from calibration.refusal import Refused
from calibration.units import Quantity, parse_quantity

SAID = [
    ("load 5 kg", Command("load", parse_quantity("5 kg"))),
    ("  load   5kg  at  2 ", Command("load", parse_quantity("5 kg"), number=2)),
    ("load 0 g", Command("load", parse_quantity("0 g"))),
    ("add -0.5 g", Command("add", parse_quantity("-0.5 g"))),
    ("position 0", Command("position", number=0)),
    ("zero", Command("zero")),
    ("tare", Command("tare")),
    ("shake 20 g", Command("shake", parse_quantity("20 g"))),
    ("shake 20 g for 3 s", Command("shake", parse_quantity("20 g"), parse_quantity("3 s"))),
    ("temperature -5 °C", Command("temperature", parse_quantity("-5 °C"))),
    ("fault silence", Command("fault", fault="silence")),
    ("fault late for 2 min", Command("fault", None, parse_quantity("2 min"), fault="late")),
    ("recover", Command("recover")),
    ("power", Command("power")),
    ("skip 30 min", Command("skip", parse_quantity("30 min"))),
    ("stop", Command("stop")),
]
OF_METERS = [
    ("flow 30 L/min", Command("flow", parse_quantity("30 L/min"))),
    ("flow 0 m³/h", Command("flow", Quantity(Decimal(0), "m³/h"))),
    ("deliver 20 L", Command("deliver", parse_quantity("20 L"))),
    ("deliver 20 L at 30 L/min", Command("deliver", parse_quantity("20 L"), parse_quantity("30 L/min"))),
    ("leak 0.1 L/min", Command("leak", parse_quantity("0.1 L/min"))),
    ("fault exception for 5 s", Command("fault", None, parse_quantity("5 s"), fault="exception")),
]  # fmt: skip


@pytest.mark.parametrize(("line", "command"), SAID)
def test_a_scale_understands(line: str, command: Command) -> None:
    assert understood(line, OF_A_SCALE) == command


@pytest.mark.parametrize(("line", "command"), OF_METERS)
def test_a_meter_understands(line: str, command: Command) -> None:
    assert understood(line, OF_A_METER) == command


REFUSED = [
    ("weigh 5 kg", "weigh is no command here: load, add, position"),
    ("flow 30 L/min", "flow is no command here"),
    ("Load 5 kg", "Load is no command"),
    ("", " is no command here"),
    ("load", "write load 5 kg at 2"),
    ("load 5 L", "of another kind of quantity: write it as in 5 kg"),
    ("load 5", "no unit"),
    ("load five kg", "no quantity"),
    ("load 5 kg at corner", "corner"),
    ("position two", "write position 2"),
    ("position -1", "write position 2"),
    ("zero now", "write zero"),
    ("fault flood", "there is no fault flood: silence, noise"),
    ("fault exception", "there is no fault exception"),
    ("fault silence for -5 s", "must not be less than 0"),
    ("fault", "write fault silence for 5 s"),
    ("skip 5 kg", "write it as in 30 min"),
]


@pytest.mark.parametrize(("line", "said"), REFUSED)
def test_what_is_not_understood_is_refused_with_what_to_write(line: str, said: str) -> None:
    with pytest.raises(Refused, match=said.replace("(", r"\(")):
        understood(line, OF_A_SCALE)


def test_help_shows_every_command_in_a_form_that_is_understood() -> None:
    for words in (OF_A_SCALE, OF_A_METER):
        shown = list(help_on(words))
        assert [understood(usage, words).word for usage, _ in shown] == list(words)
        assert all(does for _, does in shown)


def test_a_day_is_read_with_its_times_and_remarks() -> None:
    text = """
    # a morning
    0        load 5 kg      # at once
    2.5      zero
    0:05     load 10 kg
    +1.5     fault silence
    1:00     recover
    1:02:03  stop
    """
    assert [(at, command.word) for at, command in day(text, OF_A_SCALE)] == [
        (0.0, "load"),
        (2.5, "zero"),
        (5.0, "load"),
        (6.5, "fault"),
        (60.0, "recover"),
        (3723.0, "stop"),
    ]
    assert day("", OF_A_SCALE) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("load 5 kg", "line 1: load is no time: write it as in 0:05 load 5 kg"),
        ("0 load 5 kg\n\n0:5x zero", "line 3: 0:5x is no time"),
        ("5 zero\n4 zero", "line 2: the day goes back in time"),
        ("5 zero\n# x\n6 lode 5 kg", "line 3: lode is no command here"),
        ("5 load 5 L", "line 1: 5 L is of another kind"),
        ("5", "line 1: is no command here"),
        ("-5 zero", "line 1: -5 is no time"),
    ],
)
def test_a_day_with_a_mistake_is_refused_whole_and_names_its_line(
    text: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERA_LANG", "en")
    with pytest.raises(Refused, match=said):
        day(text, OF_A_SCALE)
