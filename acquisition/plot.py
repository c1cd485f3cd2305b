"""The error plot: measured errors within or beyond the band of the limits.

Knows how panels are drawn so that they are read in black and white and on a tablet: a verdict has
its own sign beside its colour, a limit is a line, and what is not legal says so across the picture.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from acquisition.faults import BadInput
from acquisition.language import t
from acquisition.panel import Drawn, Kind, Mark, Panel
from acquisition.plot_panels import panels_of

ENDINGS = (".svg", ".png", ".pdf")
DPI = 160
WIDTH = 8.3
"""Of the picture [inch]: a page of A4."""
_SIGNS: dict[str, dict[str, Any]] = {
    "conforming": {"marker": "o", "color": "#0072b2", "markersize": 6},
    "nonconforming": {"marker": "X", "color": "#c8102e", "markersize": 10},
    "indeterminate": {
        "marker": "D",
        "color": "#555555",
        "markersize": 7,
        "markerfacecolor": "white",
        "markeredgewidth": 1.6,
    },
}
_BAND, _INNER, _EDGE, _INK, _FAINT = "#e4e8ec", "#c6ced6", "#3d444d", "#1f2328", "#8c959f"
_WIDE, _LOW = 2.7, 2.2
"""Height of a wide panel and of a small one [inch]."""


def draw(drawn: Drawn, file: Path) -> None:
    """Draw every test of a verification to an SVG, PNG or PDF file."""
    if file.suffix.lower() not in ENDINGS:
        raise BadInput("{file} must end in .svg, .png or .pdf", place="--plot", file=file)
    panels = panels_of(drawn)
    if not panels:
        raise BadInput("there is no point to draw", place="--plot")
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    style: dict[Any, Any] = {"svg.hashsalt": "tera", "font.size": 9, "axes.edgecolor": _FAINT}
    with matplotlib.rc_context(style):
        figure = _figure(pyplot, drawn, panels)
        try:
            figure.savefig(file, dpi=DPI, metadata=_undated(file.suffix.lower()))
        except OSError as error:
            raise BadInput("cannot write {file}: {why}", file=file, why=error.strerror) from None
        finally:
            pyplot.close(figure)


def _undated(ending: str) -> dict[str, Any]:
    """Leave the time out of the file: the same verdict draws the same bytes."""
    return {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(ending, {})


def _figure(pyplot: Any, drawn: Drawn, panels: Sequence[Panel]) -> Any:
    rows = _rows(panels)
    heights = [max(_WIDE if panel.wide else _LOW for panel in row) for row in rows]
    top, bottom = 0.95, 0.45
    figure = pyplot.figure(figsize=(WIDTH, sum(heights) + top + bottom))
    height = figure.get_figheight()
    figure.set_layout_engine("constrained")
    figure.get_layout_engine().set(
        rect=(0, bottom / height, 0.985, 1 - (top + bottom) / height), h_pad=0.08, w_pad=0.08
    )
    grid = figure.add_gridspec(len(rows), 2, height_ratios=heights)
    for number, row in enumerate(rows):
        for place, panel in enumerate(row):
            whole = panel.wide or len(panels) == 1
            cell = grid[number, :] if whole else grid[number, place]
            _draw_panel(figure.add_subplot(cell), panel)
    _head(figure, drawn, height)
    _legend(figure, panels)
    return figure


def _rows(panels: Sequence[Panel]) -> list[list[Panel]]:
    """Put wide panels first, each on its row, then small ones in pairs."""
    wide = [[panel] for panel in panels if panel.wide]
    small = [panel for panel in panels if not panel.wide]
    return [*wide, *(small[i : i + 2] for i in range(0, len(small), 2))]


def _head(figure: Any, drawn: Drawn, height: float) -> None:
    """Say which instrument, which law, and what was decided."""
    body, sheet = drawn.body, drawn.sheet
    identity = sheet.identity
    maker = " ".join(filter(None, (identity.get("maker"), identity.get("model"))))
    name = " · ".join(filter(None, (identity["kind"], maker, identity["serial"])))
    setting = "" if drawn.law.settings is None else f" + {drawn.law.settings.name}"
    law = f"{drawn.law.document}{setting}, {drawn.law.clause}"
    accuracy = sheet.instrument.get("class")
    what = [t(drawn.stage), str(sheet.date)]
    if accuracy is not None:
        what.insert(0, f"{t('class')} {accuracy}")
    figure.text(0.015, 1 - 0.22 / height, name, size=12, weight="bold", color=_INK, va="center")
    figure.text(0.015, 1 - 0.46 / height, law, size=8.5, color=_INK, va="center")
    figure.text(0.015, 1 - 0.66 / height, " · ".join(what), size=8.5, color=_INK, va="center")
    sign = _SIGNS[body["verdict"]]
    verdict = t(body["verdict"]).upper()
    side = figure.text(
        0.985, 1 - 0.24 / height, verdict, size=12, weight="bold", ha="right", va="center",
        color=sign["color"],
    )  # fmt: skip
    side.set_gid(f"verdict-{body['verdict']}")
    legal = t("TRIAL, not legal") if body.get("trial") else t("not legal")
    if body["legal"] and not body.get("trial"):
        figure.text(
            0.985, 1 - 0.5 / height, t("legal"), size=8.5, ha="right", va="center", color=_INK
        )
        return
    figure.text(0.985, 1 - 0.5 / height, legal, size=8.5, ha="right", va="center", color=_INK)
    slope = min(28.0, 4.5 * height)  # across the panels, not over the head of a low picture
    mark = figure.text(
        0.5, 0.46, legal.upper(), size=min(56, 700 / len(legal)), weight="bold", color="#57606a", alpha=0.15,
        rotation=slope, ha="center", va="center", zorder=10,
    )  # fmt: skip
    mark.set_gid("watermark")


def _legend(figure: Any, panels: Sequence[Panel]) -> None:
    """Explain the signs that are there."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    marks = [mark for panel in panels for mark in panel.marks]
    seen = [verdict for verdict in _SIGNS if any(mark.verdict == verdict for mark in marks)]
    handles: list[Any] = [
        Line2D([], [], linestyle="none", label=t(verdict), **_SIGNS[verdict]) for verdict in seen
    ]
    if any(mark.lower is not None or mark.upper is not None for mark in marks):
        handles.append(Patch(facecolor=_BAND, edgecolor=_EDGE, label=t("within the limits")))
    if any(panel.guarded for panel in panels):
        handles.append(Patch(facecolor=_INNER, edgecolor=_FAINT, label=t("limits less U")))
    if any(mark.u is not None for mark in marks):
        bar = Line2D([], [], color=_INK, marker="|", linestyle="none", markersize=11)
        bar.set_label(t("expanded uncertainty U"))
        handles.append(bar)
    figure.legend(
        handles=handles, loc="lower center", ncols=len(handles), frameon=False, fontsize=8.5
    )


def _draw_panel(axis: Any, panel: Panel) -> None:
    axis.set_gid(f"panel-{panel.kind.name.lower()}")
    _limits(axis, panel)
    if panel.in_order:
        axis.plot(
            [m.x for m in panel.marks], [m.y for m in panel.marks], color=_FAINT, linewidth=0.8
        )
    for mark in panel.marks:
        _draw_mark(axis, mark)
    if panel.range is not None:
        _draw_range(axis, panel, panel.range)
    if panel.kind in (Kind.RANGES, Kind.AT_LEAST):
        for mark in panel.marks:
            axis.plot(
                [mark.x] * 2,
                [0, mark.y],
                color=_FAINT,
                linewidth=5,
                solid_capstyle="butt",
                zorder=1,
            )
    axis.axhline(0, color=_EDGE, linewidth=0.7, zorder=1)
    title = f"{panel.title}: {t(panel.verdict)}"
    axis.set_title(title, loc="left", fontsize=9.5, weight="bold", color=_INK)
    axis.set_xlabel(panel.x_label)
    axis.set_ylabel(panel.y_label)
    if panel.by_decades:
        from matplotlib.ticker import LogLocator

        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter("")
    if panel.ticks:
        axis.set_xticks([x for x, _ in panel.ticks], [label for _, label in panel.ticks])
        axis.set_xlim(0.4, max(x for x, _ in panel.ticks) + 0.6)
    if panel.kind is Kind.CURVE and not panel.wide:
        axis.locator_params(axis="x", nbins=5)
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(colors=_INK, labelsize=8.5)
    _frame(axis, panel)


def _limits(axis: Any, panel: Panel) -> None:
    """Draw where errors conform: a band, or what each point has of its own."""
    band = panel.band
    if band is not None:
        lower = band.lower if band.lower is not None else (0.0,) * len(band.x)
        filled = axis.fill_between(band.x, lower, band.upper, color=_BAND, linewidth=0, zorder=0)
        filled.set_gid("band")
        for side in (band.lower, band.upper):
            if side is not None:
                axis.plot(band.x, side, color=_EDGE, linewidth=1.2, zorder=1)
    if panel.guarded:
        _guarded(axis, panel)
    for mark in panel.marks:
        if band is None or mark.apart:
            _own_limits(axis, mark, small=panel.kind is Kind.CURVE)


def _guarded(axis: Any, panel: Panel) -> None:
    """Draw what is left to accept where U is taken off the limits (R 111)."""
    from matplotlib.patches import Rectangle

    for mark in panel.marks:
        if mark.u is None or mark.upper is None or mark.lower is None:
            continue
        low, high = mark.lower + mark.u, mark.upper - mark.u
        if low < high:
            box = Rectangle((mark.x - 0.3, low), 0.6, high - low, facecolor=_INNER, linewidth=0.8)
            box.set(edgecolor=_FAINT, zorder=1, gid="guarded")
            axis.add_patch(box)


def _own_limits(axis: Any, mark: Mark, *, small: bool) -> None:
    """Draw the limits of one point alone; nothing is claimed between points."""
    from matplotlib.patches import Rectangle

    if small:
        for side, sign in ((mark.lower, 6), (mark.upper, 7)):  # carets whose tip is the limit
            if side is not None:
                axis.plot([mark.x], [side], marker=sign, color=_EDGE, markersize=6, zorder=2)
        return
    left, right = mark.x - 0.5, mark.x + 0.5
    low = 0.0 if mark.lower is None else mark.lower
    high = 2 * max(abs(low), abs(mark.y)) if mark.upper is None else mark.upper
    axis.add_patch(Rectangle((left, low), 1, high - low, color=_BAND, linewidth=0, zorder=0))
    for side in (mark.lower, mark.upper):
        if side is not None:
            axis.plot([left, right], [side] * 2, color=_EDGE, linewidth=1.2, zorder=1)


def _draw_mark(axis: Any, mark: Mark) -> None:
    sign = _SIGNS[mark.verdict]
    if mark.u is not None:
        axis.errorbar(
            [mark.x], [mark.y], yerr=[mark.u], fmt="none", ecolor=_INK, elinewidth=1, capsize=3,
            zorder=3,
        )  # fmt: skip
    (line,) = axis.plot([mark.x], [mark.y], linestyle="none", zorder=4, **sign)
    line.set_gid(f"point-{mark.name}-{mark.verdict}")


def _draw_range(axis: Any, panel: Panel, found: Mark) -> None:
    """Draw how far the observations differ, beside how far they may."""
    from matplotlib.patches import Rectangle

    ys = [mark.y for mark in panel.marks]
    low, high = min(ys), max(ys)
    allowed = found.upper or 0.0
    patch = Rectangle(
        (found.x - 0.22, low), 0.44, allowed, facecolor=_BAND, edgecolor=_EDGE, zorder=1
    )
    patch.set_gid("range-limit")
    axis.add_patch(patch)
    sign = _SIGNS[found.verdict]
    axis.plot(
        [found.x] * 2,
        [low, high],
        color=sign["color"],
        linewidth=6,
        solid_capstyle="butt",
        zorder=3,
    )
    text = (
        f"{found.y:g} ≤ {allowed:g}"
        if found.verdict == "conforming"
        else f"{found.y:g} > {allowed:g}"
    )
    axis.annotate(
        f"{text} {panel.unit}", (found.x, low + allowed), xytext=(0, 4), textcoords="offset points",
        ha="center", fontsize=8.5, color=_INK,
    )  # fmt: skip


def _frame(axis: Any, panel: Panel) -> None:
    """Set the height, and say the error of what does not conform."""
    low, high = panel.heights()
    if low == high:
        axis.set_ylim(-1, 1)
        axis.set_yticks([0])
        return
    room = 0.12 * (high - low)
    axis.set_ylim(low - room if low < 0 else low, high + room)
    for mark in panel.marks:
        if mark.verdict == "nonconforming":
            up = mark.y >= 0
            axis.annotate(
                f"{mark.y:+.4g}", (mark.x, mark.y), xytext=(8, 4 if up else -10),
                textcoords="offset points", fontsize=8.5, color=_INK, weight="bold",
            )  # fmt: skip
