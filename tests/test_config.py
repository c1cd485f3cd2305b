"""The configuration: a working station as shipped, and errors that name file, line and key."""

from pathlib import Path

import pytest

from acquisition.config import instrument_settings, line_of, load_station
from acquisition.faults import BadInput, exit_code

SHIPPED = Path(__file__).parent.parent / "config.toml"


def changed(tmp_path: Path, old: str, new: str) -> tuple[Path, int]:
    """Write the shipped configuration with one change; return it and the changed line."""
    text = SHIPPED.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "config.toml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return file, text[: text.index(old)].count("\n") + 1


def test_the_shipped_configuration_is_a_simulated_station() -> None:
    station = load_station(SHIPPED)
    assert station.office.code == "3516"
    assert {i.port for b in station.bench for i in b.instrument} == {"simulated"}
    assert station.store.outbox.is_absolute()


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("serial = ", "seriel = ", None),  # identity is free; the sheet refuses it later
        ("baudrate", "baudrate", None),
        ('name = "timbangan-1"', 'nama = "timbangan-1"', "bench[0].instrument[0].nama"),
        ("patience = 20", "patiense = 20", "bench[0].patiense"),
        ('driver = "mt-sics"', 'driver = "mt-sisc"', "bench[0].instrument[0]"),
        ("port = 1883", "port = 70000", "broker.port"),
        ('protocol = "auto"', 'protocol = "4"', "broker.protocol"),
        ('routine = "volume-meter"', 'routine = "volume"', "bench[1].routine"),
        ('role = "reference"', 'role = "under_test"', "bench[1]"),
        ('standards = ["W-07"]', 'standards = ["W-08"]', ""),
        ("seed = 42", "seed = 42\nmass = 3", "bench[0].instrument[0].scale.mass"),
        ('name = "timbangan-2"', 'name = "timbangan-1"', ""),
        ('code = "3516"', 'code = "35/16"', "office.code"),
    ],
)
def test_a_wrong_key_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, key: str | None
) -> None:
    file, line = changed(tmp_path, old, new)
    if key is None:
        load_station(file)
        return
    with pytest.raises(BadInput) as caught:
        load_station(file)
    assert caught.value.place.startswith(str(file))
    assert caught.value.place.endswith(f": {key}")
    assert exit_code(caught.value) == 2
    if key and "[" not in key.rpartition(".")[2]:
        assert f":{line + new.count(chr(10))}:" in caught.value.place


def test_text_that_is_no_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[office\ncode = 1\n")
    with pytest.raises(BadInput, match="line 1"):
        load_station(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such configuration file"):
        load_station(tmp_path / "nothing.toml")


def test_lines_of_nested_tables_are_found() -> None:
    text = "[a]\nx = 1\n[[b]]\n[[b.c]]\ny = 1\n[[b]]\n[[b.c]]\n[b.c.d]\nz = 1\n"
    assert line_of(text, ("a", "x")) == 2
    assert line_of(text, ("b", 0, "c", 0, "y")) == 5
    assert line_of(text, ("b", 1, "c", 0, "d", "z")) == 9
    assert line_of(text, ("b", 1, "c", 0, "missing")) == 7


def test_settings_from_the_command_line_are_checked() -> None:
    made = instrument_settings(name="s", driver="mt-sics", port="/dev/null", baudrate="9600")
    assert made.baudrate == 9600
    with pytest.raises(BadInput, match="baudrate"):
        instrument_settings(name="s", driver="mt-sics", port="/dev/null", baudrate="fast")
    with pytest.raises(BadInput, match="map"):
        instrument_settings(name="s", driver="modbus", port="tcp://127.0.0.1:502")
