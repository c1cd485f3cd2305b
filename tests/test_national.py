"""National settings: what they change, how sure they are, and what an office decides over them."""

import datetime
from decimal import Decimal
from importlib import resources

import pytest

from calibration.edition import CONFIDENCES
from calibration.legal_table import applied, tables
from calibration.mpe import Limits, legal_table, maximum_permissible_error, repeatability_limit
from calibration.national import (
    NationalSettings,
    Override,
    all_settings,
    national_settings,
    overridable,
    overridden,
    read_settings,
)
from calibration.refusal import Refused
from calibration.units import parse_quantity

DAY = datetime.date(2026, 11, 24)
TBO = ("id-tbo", "r76", "III")


def limits(settings: NationalSettings, table: str, cls: str, value: str, stage: str) -> Limits:
    return maximum_permissible_error(
        applied(legal_table(table), settings),
        accuracy_class=cls,
        stage=stage,
        values=[parse_quantity(value)],
    )


def over(key: str, value: Decimal | str) -> Override:
    return Override(key, value, "SK 131 pasal 5", "Kepala UPT", DAY)


@pytest.mark.parametrize(
    ("stage", "factor", "confidence"),
    [("initial", 1, "V2"), ("subsequent", 2, "K-med"), ("in_service", 2, "V2")],
)
def test_the_practice_for_scales_doubles_at_tera_ulang_and_says_that_it_is_unsure(
    stage: str, factor: int, confidence: str
) -> None:
    found = limits(national_settings("id-tbo"), "r76", "III", "501 e", stage)
    assert found.upper == (Decimal(factor),)
    assert found.confidence == (confidence,)
    assert ("id-tbo@2015" in found.clause[0]) is (stage != "in_service")


def test_without_settings_tera_ulang_has_the_limits_of_oiml() -> None:
    found = maximum_permissible_error(
        legal_table("r76"),
        accuracy_class="III",
        stage="subsequent",
        values=[parse_quantity("501 e")],
    )
    assert (found.upper, found.provisional) == ((Decimal(1),), False)


@pytest.mark.parametrize(
    ("stage", "value", "limit", "unit"),
    [
        ("initial", "501 e", "1", "e"),
        ("subsequent", "501 e", "2", "e"),
        ("initial", "2.5 kg", "0.005", "kg"),
        ("subsequent", "2500 g", "10", "g"),
    ],
)
def test_repeatability_of_scales_is_counted_in_e(
    stage: str, value: str, limit: str, unit: str
) -> None:
    table = applied(legal_table("r76"), national_settings("id-tbo"))
    found = repeatability_limit(
        table,
        accuracy_class="III",
        stage=stage,
        values=[parse_quantity(value)],
        characteristics={"e": "5 g"},
    )
    assert (found.unit, found.upper, found.lower) == (unit, (Decimal(limit),), (None,))
    assert found.provisional is (stage == "subsequent")


def test_repeatability_in_e_is_refused_where_nothing_states_it() -> None:
    table = applied(legal_table("r76"), national_settings("id-tbo"))
    load = [parse_quantity("1 kg")]
    with pytest.raises(Refused, match="there are initial, subsequent"):
        repeatability_limit(table, accuracy_class="III", stage="in_service", values=load)
    with pytest.raises(Refused, match="--with e="):
        repeatability_limit(table, accuracy_class="III", values=load)
    with pytest.raises(Refused, match="has no repeatability limit of its own"):
        repeatability_limit(legal_table("r76"), accuracy_class="III", values=load)


def test_water_meters_have_4_4_and_10_per_cent_at_tera_ulang() -> None:
    table = applied(legal_table("r49"), national_settings("id-meter-air"))
    given = {"q3": "2.5", "ratio": "80", "temperature": "28"}
    for flow, limit in (("2.5", "4"), ("0.05", "4"), ("0.03125", "10")):
        found = maximum_permissible_error(
            table,
            accuracy_class="2",
            stage="subsequent",
            values=[parse_quantity(f"{flow} m³/h")],
            characteristics=given,
        )
        assert (found.upper, found.provisional) == ((Decimal(limit),), True)


def test_a_table_under_settings_remembers_them_and_stays_as_it_was() -> None:
    table, settings = legal_table("r117"), national_settings("id-pubbm@2014")
    under = applied(table, settings)
    assert under.settings is settings
    assert table.settings is None
    assert (under.name, under.digest) == (table.name, table.digest)
    assert "percent" not in table.rules["rule"]["repeatability"]
    assert under.rules["rule"]["repeatability"]["percent"] == Decimal("0.1")
    assert "front_back_difference" not in table.rules["requirement"]
    with pytest.raises(Refused, match="already has settings id-pubbm@2014"):
        applied(under, settings)
    with pytest.raises(Refused, match="for table r117, not for r76@2006"):
        applied(legal_table("r76"), settings)


def test_an_office_decides_over_a_factor_and_is_named_in_the_answer() -> None:
    settings = overridden(
        national_settings("id-tbo"), [over("stage.subsequent.factor", Decimal(1))]
    )
    found = limits(settings, "r76", "III", "501 e", "subsequent")
    assert (found.upper, found.provisional) == ((Decimal(1),), False)
    assert "SK 131 pasal 5 (Kepala UPT, 2026-11-24)" in found.clause[0]
    assert [made.key for made in settings.overrides] == ["stage.subsequent.factor"]
    assert settings.digest == national_settings("id-tbo").digest
    assert national_settings("id-tbo").overrides == ()


def test_an_office_adds_a_stage_that_no_source_states() -> None:
    settings = overridden(
        national_settings("id-takaran"), [over("stage.subsequent.factor", Decimal("1.5"))]
    )
    found = limits(settings, "r138", "transfer", "100 mL", "subsequent")
    assert found.upper == (Decimal("4.5"),)
    with pytest.raises(Refused, match="there are initial"):
        limits(national_settings("id-takaran"), "r138", "transfer", "100 mL", "subsequent")


def test_other_decisions_of_an_office() -> None:
    tank = overridden(
        national_settings("id-tangki"), [over("interval.years.tangki bola", Decimal(10))]
    )
    assert tank.interval_years("tangki bola") == 10
    assert tank.interval_years("tangki silinder tegak") == 6
    assert tank.interval_years("tangki kotak") is None
    fuel = overridden(
        national_settings("id-pubbm@2014"),
        [over("repeatability.percent", Decimal("0.2")), over("decree.cites", "Kepdirjen 7/2027")],
    )
    assert fuel.decree == "Kepdirjen 7/2027"
    found = repeatability_limit(
        applied(legal_table("r117"), fuel),
        accuracy_class="0.5",
        values=[parse_quantity("20 L")],
    )
    assert found.upper == (Decimal("0.2"),)
    scale = overridden(
        national_settings("id-tbo"), [over("repeatability.intervals.subsequent", Decimal(1))]
    )
    again = repeatability_limit(
        applied(legal_table("r76"), scale),
        accuracy_class="III",
        stage="subsequent",
        values=[parse_quantity("1 e")],
    )
    assert again.upper == (Decimal(1),)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("stage.subsequent.faktor", Decimal(1), "has no 'stage.subsequent.faktor' to override"),
        ("stage.tera.factor", Decimal(1), "there are decree.cites"),
        ("repeatability.percent", Decimal(1), "has no 'repeatability.percent'"),
        ("stage.subsequent.factor", Decimal(0), "not more than 0"),
        ("stage.subsequent.factor", "twice", "is a number"),
        ("decree.cites", Decimal(1), "is a text in quotes"),
    ],
)
def test_an_override_that_cannot_be_is_refused(
    key: str, value: Decimal | str, sentence: str
) -> None:
    with pytest.raises(Refused, match=sentence):
        overridden(national_settings("id-tbo"), [over(key, value)])


def test_settings_are_found_by_name_edition_and_day() -> None:
    assert national_settings("id-pubbm").edition == "2026"
    assert national_settings("ID-PUBBM@2014").edition == "2014"
    assert national_settings("id-pubbm", datetime.date(2015, 6, 1)).edition == "2014"
    assert national_settings("id-pubbm", datetime.date(2021, 6, 1)).edition == "2020"
    assert national_settings("id-meter-air", datetime.date(1990, 1, 1)).valid_from is None
    with pytest.raises(Refused, match="in force on 2013-12-31: id-pubbm@2014 from 2014-01-01"):
        national_settings("id-pubbm", datetime.date(2013, 12, 31))
    for unknown in ("id", "id-tbo@2016", "r76", "", "id-tbo@"):
        with pytest.raises(Refused, match="there are id-anak-timbangan@2010"):
            national_settings(unknown)


@pytest.mark.parametrize("settings", all_settings(), ids=lambda settings: settings.name)
def test_every_settings_file_says_where_it_was_read(settings: NationalSettings) -> None:
    file = resources.files("calibration") / "national" / f"{settings.id}_{settings.edition}.toml"
    assert read_settings(file.read_bytes(), "again") == settings
    assert read_settings(file.read_bytes() + b"\n", "changed").digest != settings.digest
    assert "Transcription:" in settings.transcription
    assert settings.regulation == "Permendag 24 Tahun 2024"
    assert settings.confidence in CONFIDENCES
    assert settings.title_id
    assert settings.kinds
    applied(legal_table(settings.table), settings)
    for key in overridable(settings):
        value: Decimal | str = "x" if key.endswith("cites") else Decimal(1)
        assert overridden(settings, [over(key, value)]).overrides


def test_little_sure_settings_are_provisional() -> None:
    provisional = {settings.name for settings in all_settings() if settings.provisional}
    assert provisional == {
        "id-tbo@2015",
        "id-meter-air@undated",
        "id-meter-kwh@2024",
        "id-meter-gas@2024",
    }
    years = {s.name: s.interval_years() for s in all_settings()}
    assert (years["id-tbo@2015"], years["id-meter-air@undated"]) == (1, 5)
    assert years["id-anak-timbangan@2010"] is None
    assert national_settings("id-tbo").methods == ("probe",)
    assert national_settings("id-tbo").decree == "SK Dirjen SPK 131/SPK/KEP/10/2015"


@pytest.mark.parametrize("settings", all_settings(), ids=lambda settings: settings.name)
def test_every_settings_file_is_for_a_table_that_is_there(settings: NationalSettings) -> None:
    assert applied(legal_table(settings.table), settings).settings is settings


def test_no_two_files_share_a_name() -> None:
    names = [entry.name for entry in (*tables(), *all_settings())]
    assert len(names) == len(set(names))
    assert not {entry.id for entry in all_settings()} & {entry.id for entry in tables()}


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('schema = "tera/national-setting/1"', 'schema = "tera/national-setting/9"', "schema"),
        ("[stage.initial]", "[stage.tera]", "tera"),
        ('confidence = "K-med"', 'confidence = "maybe"', "maybe"),
        ('source = "method line', 'sauce = "method line', "decree.source"),
        ('edition = "2015"', 'edition = "2015"\nfactor = 2', "factor"),
        ('kinds = ["timbangan', 'kind = ["timbangan', "kinds"),
        ("[decree]", "[decree", "no settings file"),
    ],
)
def test_a_strange_settings_file_is_refused_by_name(old: str, new: str, problem: str) -> None:
    file = resources.files("calibration") / "national" / "id-tbo_2015.toml"
    text = file.read_text("utf-8")
    assert old in text
    with pytest.raises(Refused, match=problem) as refused:
        read_settings(text.replace(old, new).encode(), "strange.toml")
    assert "strange.toml" in str(refused.value)
