"""The error plot: measured errors inside or outside the envelope of the limits."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from acquisition.faults import BadInput
from acquisition.language import t

_COLOURS = {"conforming": "#1a7f37", "nonconforming": "#cf222e", "indeterminate": "#9a6700"}


def draw(body: Mapping[str, Any], file: Path) -> None:
    """Draw every test of a verification to an SVG, PNG or PDF file."""
    if file.suffix not in (".svg", ".png", ".pdf"):
        raise BadInput("{file} must end in .svg, .png or .pdf", place="--plot", file=file)
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    tests = [test for test in body["tests"] if test["points"]]
    if not tests:
        raise BadInput("there is no point to draw", place="--plot")
    figure, axes = pyplot.subplots(
        len(tests), 1, figsize=(8, 2.8 * len(tests) + 0.6), squeeze=False, layout="constrained"
    )
    for axis, test in zip(axes[:, 0], tests, strict=True):
        _draw_test(axis, test)
    table = body["table"]
    figure.suptitle(f"{t(body['verdict'])} · {table['id']}@{table['edition']} · {t(body['stage'])}")
    try:
        figure.savefig(file, dpi=150)
    except OSError as error:
        raise BadInput("cannot write {file}: {why}", file=file, why=error.strerror) from None
    finally:
        pyplot.close(figure)


def _draw_test(axis: Any, test: Mapping[str, Any]) -> None:
    points = test["points"]
    nominal = [_number(p["nominal"]) for p in points]
    spread = len(set(nominal)) == len(nominal)
    along = nominal if spread else list(range(1, len(points) + 1))
    for side in ("lower", "upper"):
        known = [
            (x, _number(p[side])) for x, p in zip(along, points, strict=True) if p[side] is not None
        ]
        known.sort()
        axis.step(
            *zip(*known, strict=True), where="mid", color="#57606a", linewidth=1
        ) if known else None
    for x, point in zip(along, points, strict=True):
        if point["error"] is None:
            continue
        u = point["expanded_uncertainty"]
        axis.errorbar(
            [x],
            [_number(point["error"])],
            yerr=None if u is None else [_number(u)],
            fmt="o",
            capsize=3,
            color=_COLOURS[point["verdict"]],
        )
    axis.axhline(0, color="#d0d7de", linewidth=0.8)
    unit = points[0]["unit"]
    axis.set_title(f"{t(test['name'])}: {t(test['verdict'])}", loc="left", fontsize=10)
    axis.set_ylabel(f"{t('error')} [{unit}]")
    axis.set_xlabel(f"{t('nominal')} [{unit}]" if spread else t("observation"))


def _number(value: Decimal) -> float:
    return float(value)
