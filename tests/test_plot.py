"""The error plot: every point is drawn, the band is the law's own, nothing rests on colour alone."""

import re
import struct
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acquisition.cli import main
from acquisition.evaluating import Asked, Office
from acquisition.faults import BadInput
from acquisition.limit_line import line_of
from acquisition.panel import Drawn, Kind, Mark, Panel
from acquisition.plot import _SIGNS, draw
from acquisition.plot_panels import panels_of
from acquisition.sheet_file import sources_of
from calibration.limit_curve import LimitCurve

EXAMPLES = Path(__file__).parent.parent / "examples"
TOMLS = sorted(EXAMPLES.glob("*.toml"), key=lambda path: path.name)
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERA_LANG", "en")


def drawn(path: Path, number: int = 0) -> Drawn:
    sheet = sources_of(path)[0].sheets()[number]
    office = Office()
    law = office.law(sheet, Asked())
    body = office.evaluate(sheet, Asked()).to_dict()
    return Drawn(body, sheet, law, sheet.stage)


def example(name: str) -> Drawn:
    return drawn(EXAMPLES / f"{name}.toml")


def gids(file: Path) -> list[str]:
    root = ElementTree.parse(file).getroot()  # noqa: S314 - our own file
    return [group.get("id", "") for group in root.iter(f"{SVG}g")]


def panels(name: str) -> dict[str, Panel]:
    return {panel.title: panel for panel in panels_of(example(name))}


@pytest.mark.parametrize("path", TOMLS, ids=lambda path: path.stem)
def test_every_point_of_every_example_is_drawn_once(path: Path, tmp_path: Path) -> None:
    one = drawn(path)
    points = [
        point
        for test in one.body["tests"]
        for point in test["points"]
        if point["error"] is not None
    ]
    found = panels_of(one)
    marks = [mark for panel in found for mark in panel.marks]
    ranges = [panel.range for panel in found if panel.range is not None]
    assert len(marks) + len(ranges) == len(points)
    file = tmp_path / "plot.svg"
    draw(one, file)
    names = gids(file)
    assert sum(name.startswith("point-") for name in names) == len(marks)
    assert sum(name.startswith("panel-") for name in names) == len(found)
    assert names.count("range-limit") == len(ranges)
    assert names.count("watermark") == 1  # no office has approved anything here


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_plot_is_a_file_of_its_kind_and_size(ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"plot.{ending}"
    draw(example("nawi"), file)
    content = file.read_bytes()
    if ending == "png":
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        width, height = struct.unpack(">II", content[16:24])
        assert width == 1328  # 8.3 inch at 160 points per inch
        assert height > width
    else:
        assert content.startswith(b"%PDF" if ending == "pdf" else b"<?xml")
    again = tmp_path / f"again.{ending}"
    draw(example("nawi"), again)
    assert again.read_bytes() == content  # the same verdict draws the same bytes


def test_a_png_really_has_the_band_the_points_and_the_text(tmp_path: Path) -> None:
    from matplotlib import image

    file = tmp_path / "plot.png"
    draw(example("nawi"), file)
    pixels = (np.asarray(image.imread(file))[:, :, :3] * 255).round().astype(int)
    assert ((pixels == (0xE4, 0xE8, 0xEC)).all(axis=2)).mean() > 0.1  # the band
    assert ((pixels == (0x00, 0x72, 0xB2)).all(axis=2)).sum() > 500  # conforming points
    dark = pixels.sum(axis=2) < 200
    assert dark[: pixels.shape[0] // 20].any()  # the title
    assert dark[-pixels.shape[0] // 20 :].any()  # the legend


def test_verdicts_differ_by_sign_and_not_by_colour_alone() -> None:
    assert len({sign["marker"] for sign in _SIGNS.values()}) == 3
    luminances = set()
    for sign in _SIGNS.values():
        red, green, blue = (int(sign["color"][i : i + 2], 16) for i in (1, 3, 5))
        luminances.add(round(0.2126 * red + 0.7152 * green + 0.0722 * blue) // 4)
    assert len(luminances) == 3


def test_the_band_of_a_scale_steps_where_the_law_steps() -> None:
    band = panels("nawi")["weighing"].band
    assert band is not None
    assert band.lower is not None
    assert band.x == pytest.approx((0, 2500, 2500, 10000, 10000, 15000))
    assert band.upper == (2.5, 2.5, 5.0, 5.0, 7.5, 7.5)
    assert band.lower == tuple(-limit for limit in band.upper)


def test_each_range_of_a_scale_has_its_own_band() -> None:
    found = panels("nawi-dua-rentang")
    one, two = found["weighing · range 1"].band, found["weighing · range 2"].band
    assert one is not None
    assert two is not None
    assert (one.x[-1], one.upper[0]) == (3000.0, 0.5)
    assert (two.x[-1], two.upper[0]) == (15000.0, 2.5)


def test_a_point_with_a_limit_of_its_own_says_so() -> None:
    tare = panels("nawi")["tare"]
    assert tare.band is not None
    assert [mark.apart for mark in tare.marks] == [True, False, False]
    assert [mark.upper for mark in tare.marks] == [1.25, 2.5, 5.0]


def test_settings_of_the_country_widen_the_band() -> None:
    band = panels("nawi-imbuh")["weighing"].band
    assert band is not None
    assert set(band.upper) == {5.0, 10.0, 15.0}


def test_a_water_meter_is_drawn_in_percent_over_a_logarithmic_flow_rate() -> None:
    panel = panels("water-meter")["accuracy"]
    assert (panel.kind, panel.unit, panel.by_decades) == (Kind.CURVE, "%", True)
    assert panel.band is not None
    step = [x for x, nxt in zip(panel.band.x, panel.band.x[1:], strict=False) if x == nxt]
    assert step == [pytest.approx(0.05, rel=1e-5)]  # Q2 = 50 L/h
    assert (panel.band.upper[0], panel.band.upper[-1]) == (5.0, 2.0)


def test_runs_of_one_flow_rate_stand_side_by_side() -> None:
    marks = panels("volume-meter")["accuracy"].marks
    assert len({mark.x for mark in marks}) == len(marks) == 9
    assert {round(mark.upper or 0, 9) for mark in marks} == {0.5}


def test_a_general_sheet_is_drawn_over_where_it_was_taken() -> None:
    panel = panels("general")["accuracy"]
    assert (panel.x_label, panel.by_decades) == ("flow rate [m³/h]", True)
    assert panel.band is not None
    assert (panel.band.upper[0], panel.band.upper[-1]) == (3.0, 1.5)


def test_eccentricity_is_positions_and_repeatability_a_strip() -> None:
    found = panels("nawi")
    eccentricity, repeatability = found["eccentricity"], found["repeatability"]
    assert eccentricity.kind is Kind.POSITIONS
    assert [label for _, label in eccentricity.ticks] == ["1", "2", "3", "4", "5"]
    assert "5000 g" in eccentricity.x_label
    assert repeatability.kind is Kind.STRIP
    assert repeatability.range is not None
    assert (repeatability.range.y, repeatability.range.upper) == (0.5, 7.5)


def test_weights_are_shares_of_their_limits_guarded_by_u(tmp_path: Path) -> None:
    panel = panels("weights")["conventional mass"]
    assert (panel.kind, panel.guarded) == (Kind.SHARES, True)
    assert [label for _, label in panel.ticks] == [
        *("10 kg", "1 kg", "200 g\n200", "200 g\n200*", "10 g")
    ]
    assert panel.marks[0].y == pytest.approx(100 * 28.4431 / 500, rel=1e-4)
    draw(example("weights"), tmp_path / "x.svg")
    text = (tmp_path / "x.svg").read_text()
    assert text.count('id="guarded"') == len(panel.marks)


def test_an_uncertainty_that_dwarfs_the_limits_does_not_hide_them() -> None:
    marks = (Mark(1, 1.0, "conforming", u=500.0, lower=-5.0, upper=5.0),)
    panel = Panel(Kind.POSITIONS, "", "conforming", "", "", "g", marks)
    assert panel.heights() == (-10.0, 10.0)
    small = replace(panel, marks=(replace(marks[0], u=2.0),))
    assert small.heights() == (-5.0, 5.0)


def curve(**more: Any) -> LimitCurve:
    given: dict[str, Any] = {
        "unit": "mm",
        "bounds": (Decimal(1000), Decimal(3000)),
        "inclusive": True,
        "constants": (Decimal("0.5"), Decimal("0.5")),
        "slopes": (Decimal(0), Decimal("0.001")),
        "clauses": ("", ""),
    }
    return LimitCurve(**given | more)


def test_a_line_slopes_where_the_limit_slopes_and_ends_where_it_ends() -> None:
    line = line_of(curve(), 0, 5000)
    assert line is not None
    assert line.x == pytest.approx((0, 1000, 1000, 3000))
    assert line.upper == pytest.approx((0.5, 0.5, 1.5, 3.5), abs=1e-3)


def test_a_line_steps_at_every_started_metre() -> None:
    line = line_of(curve(value_step=Decimal(1000), slopes=(Decimal("0.001"),) * 2), 0, 3000)
    assert line is not None
    steps = [x for x, nxt in zip(line.x, line.x[1:], strict=False) if x == nxt]
    assert steps == pytest.approx([0, 1000, 2000])
    assert line.upper[-1] == 3.5


def test_nothing_is_claimed_between_nominal_values() -> None:
    assert line_of(curve(nominal=True), 0, 3000) is None
    assert line_of(curve(least=Decimal(4000)), 0, 3000) is None


def test_what_does_not_conform_is_marked_with_its_error(tmp_path: Path) -> None:
    text = (EXAMPLES / "nawi.toml").read_text(encoding="utf-8").replace('"15005 g"', '"15015 g"')
    sheet = tmp_path / "bad.toml"
    sheet.write_text(text, encoding="utf-8")
    file = tmp_path / "bad.svg"
    draw(drawn(sheet), file)
    names = gids(file)
    assert "point-weighing-6-nonconforming" in names
    assert sum(name.endswith("-nonconforming") for name in names) == 2  # the point, the verdict
    assert "verdict-nonconforming" in names


def test_a_legal_verdict_has_no_watermark_and_a_trial_always(tmp_path: Path) -> None:
    one = example("nawi")
    legal = replace(one, body={**one.body, "legal": True})
    trial = replace(one, body={**one.body, "legal": True, "trial": True})
    for which, many in ((legal, 0), (trial, 1), (one, 1)):
        draw(which, tmp_path / "x.svg")
        assert gids(tmp_path / "x.svg").count("watermark") == many


def test_nothing_to_draw_and_a_wrong_ending_are_said(tmp_path: Path) -> None:
    one = example("nawi")
    with pytest.raises(BadInput, match="no point to draw"):
        draw(replace(one, body={**one.body, "tests": []}), tmp_path / "x.svg")
    with pytest.raises(BadInput, match="must end in"):
        draw(one, tmp_path / "x.gif")
    with pytest.raises(BadInput, match="cannot write"):
        draw(one, tmp_path / "no" / "x.svg")


@pytest.mark.parametrize("language", ["id", "en"])
def test_the_words_of_a_plot_are_in_the_language_in_force(
    language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERA_LANG", language)
    file = tmp_path / "x.svg"
    draw(example("nawi"), file)
    said = set(re.findall(r"<!-- (.*?) -->", file.read_text(encoding="utf-8")))
    if language == "en":
        assert {"load [g]", "error [g]", "weighing: conforming", "within the limits"} <= said
    else:
        assert {"muatan [g]", "kesalahan [g]", "di dalam batas (BKD)"} <= said
        assert not {"conforming", "load [g]", "error [g]"} & said
    assert "OIML R 76-1:2006, 3.5.1 Table 6" in said
    assert "timbangan elektronik · contoh contoh-15 · A-1042" in said


def test_many_sheets_are_drawn_into_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sheets = [str(EXAMPLES / name) for name in ("nawi.toml", "water-meter-bench.toml")]
    assert main(["evaluate", *sheets, "--plot", "gambar", "--json"]) == 1
    names = sorted(path.name for path in (tmp_path / "gambar").iterdir())
    assert len(names) == 6
    assert names[0].endswith("examples-nawi.toml.png")
    assert main(["evaluate", *sheets, "--plot", "one.png"]) == 2
