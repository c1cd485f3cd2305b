"""Print one page per family of protocols from what the code itself knows.

python -m drivers.codecs.pages [FOLDER]        writes docs/protocols/*.md
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from drivers.codecs import CODECS
from drivers.codecs.by_pattern import EXAMPLE
from drivers.codecs.codec import Codec
from drivers.codecs.kind import Kind, Page
from drivers.printed_pages import page_text, section, table, write_pages

_FOLDER: Final = Path("docs/protocols")
_VISIBLE: Final = {"\r": "␍", "\n": "␊", "\x02": "␂", "\x03": "␃", "\x1b": "␛", "\x05": "␅"}
_PRINTER: Final = "drivers.codecs.pages"


def pages() -> Mapping[str, str]:
    """Return file name -> text of every page, the index among them."""
    families: dict[str, list[Kind]] = {}
    for kind in CODECS.values():
        families.setdefault(kind.page.file, []).append(kind)
    texts = {f"{file}.md": _page(kinds[0].page, kinds) for file, kinds in families.items()}
    return {"README.md": _index(families)} | texts


def _index(families: Mapping[str, list[Kind]]) -> str:
    rows = [
        (f"`{kind.name}`", kind.what, f"[{kinds[0].page.title}]({file}.md)")
        for file, kinds in families.items()
        for kind in kinds
    ]
    return page_text(
        _PRINTER,
        [
            "# Protocols of scales",
            "",
            "What `driver =` and `--driver` take, apart from `modbus`. Each page says how to set the "
            "instrument, what is read of a frame, and what a damaged frame can pass for. When nobody "
            "knows what an instrument speaks: [`tera doctor --probe`](../probing.md).",
            "",
            *table(("driver", "instruments", "page"), rows),
        ],
    )


def _page(page: Page, kinds: list[Kind]) -> str:
    codecs = [(kind, _codec(kind)) for kind in kinds]
    return page_text(
        _PRINTER,
        [
            f"# {page.title}",
            "",
            page.makers,
            "",
            page.about,
            "",
            *table(
                ("driver", "instruments", "mode", "asks", "streams after", "zero", "tare"),
                [
                    (f"`{kind.name}`", kind.what, kind.mode, *_requests(codec))
                    for kind, codec in codecs
                ],
            ),
            "",
            *section("Cable", [page.cabling]),
            *section("Settings on the instrument", [page.instrument]),
            *section("Frame", ["```text", page.layout, "```"]),
            *section("What is read of it", table(("instrument", "result"), page.statuses)),
            *section("Units", _units(codecs)),
            *section("Settings here", _options(kinds)),
            *section("What a damaged frame can pass for", [page.slips]),
            *section("How to check", _check(kinds[0])),
            *section("Not established", [f"* {line}" for line in page.unknown]),
            *section("Sources", [f"* {line}" for line in page.sources]),
        ],
    )


def _codec(kind: Kind) -> Codec:
    return kind.codec({"pattern": EXAMPLE} if kind.name == "pattern" else {})


def _requests(codec: Codec) -> Iterator[str]:
    asked = codec.requests
    for request in (asked.poll, asked.stream, asked.zero, asked.tare):
        shown = "".join(_VISIBLE.get(c, c) for c in (request or b"").decode("latin-1"))
        yield f"`{shown}`" if shown else "–"


def _units(codecs: list[tuple[Kind, Codec]]) -> list[str]:
    known: dict[str, dict[str, str]] = {}
    for kind, codec in codecs:
        spelled = ", ".join(f"`{p}`" if p == s else f"`{p}` = {s}" for p, s in codec.units.items())
        known.setdefault(spelled, {})[kind.name] = spelled
    if len(known) == 1:
        return [f"{next(iter(known))}. Any other is refused."]
    lines = [f"* {', '.join(names)}: {spelled}" for spelled, names in known.items()]
    return [*lines, "", "Any other is refused."]


def _options(kinds: list[Kind]) -> list[str]:
    rows = []
    for kind in kinds:
        for option in kind.options:
            values = ", ".join(f"`{choice}`" for choice in option.choices if choice)
            default = f"`{option.default}`" if option.default else "–"
            row = (f"`{option.key}`", f"`{kind.name}`", default, values, option.help)
            rows.append(row)
    if not rows:
        return []
    return [
        "`--set KEY=VALUE`, or a line under `[bench.instrument.settings]`.",
        "",
        *table(("setting", "driver", "default", "values", "meaning"), rows),
    ]


def _check(kind: Kind) -> list[str]:
    mode = " --set mode=listen" if kind.mode == "poll" else ""
    required = " --set pattern='...'" if kind.name == "pattern" else ""
    return [
        "Press the pan; the indication must follow, and agree with the display in digits, sign and unit.",
        "",
        "```console",
        f"$ tera read --driver {kind.name}{required} --port /dev/ttyUSB0 --count 20",
        *(
            [f"$ tera read --driver {kind.name} --port /dev/ttyUSB0{mode} --count 20"]
            if mode
            else []
        ),
        f"$ tera decode --driver {kind.name}{required} < bytes",
        f"$ tera simulate {kind.name}{required} --port pty:/tmp/scale",
        "```",
    ]


def main(folder: Path = _FOLDER) -> None:
    """Write every page, and remove those that no family has any more."""
    write_pages(pages(), folder)


if __name__ == "__main__":
    main(*(Path(folder) for folder in sys.argv[1:2]))
