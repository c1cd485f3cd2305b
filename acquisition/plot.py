"""The error plot: measured errors inside or outside the envelope of the limits."""

from collections.abc import Mapping
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

    tests = [test for test in body["tests"] if any(p["error"] is not None for p in test["points"])]
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
    points = [p for p in test["points"] if p["error"] is not None]
    nominal = [p["nominal"] for p in points]
    along_nominal = None not in nominal and len(set(nominal)) > 1
    along = [float(n) for n in nominal] if along_nominal else list(range(1, len(points) + 1))
    for x, point in zip(along, points, strict=True):
        for side, marker in (("lower", 6), ("upper", 7)):  # carets whose tip is the limit
            if point[side] is not None:
                axis.plot([x], [float(point[side])], marker=marker, color="#57606a", markersize=7)
        if point["lower"] is not None and point["upper"] is not None:
            ends = [float(point["lower"]), float(point["upper"])]
            axis.plot([x, x], ends, color="#d0d7de", linewidth=3, zorder=0)
        u = point["expanded_uncertainty"]
        axis.errorbar(
            [x],
            [float(point["error"])],
            yerr=None if u is None else [float(u)],
            fmt="o",
            capsize=3,
            color=_COLOURS[point["verdict"]],
        )
    axis.axhline(0, color="#8c959f", linewidth=0.8, zorder=0)
    axis.set_title(f"{t(test['name'])}: {t(test['verdict'])}", loc="left", fontsize=10)
    axis.set_ylabel(f"{t('error')} [{points[0]['unit']}]")
    if along_nominal:
        axis.set_xlabel(f"{t('nominal')} [{points[0]['unit']}]")
    else:
        axis.set_xlabel(t("observation"))
        axis.set_xticks(along)
