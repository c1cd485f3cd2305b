"""Pages in Markdown that are printed from the code's own data, and the folder they lie in."""

from collections.abc import Iterable, Mapping
from pathlib import Path

_BAR = "\\|"


def section(title: str, lines: Iterable[str]) -> list[str]:
    """Return a section; nothing when it would be empty."""
    body = list(lines)
    return [f"## {title}", "", *body, ""] if body else []


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Return a table; a bar in a cell does not end it."""
    lines = [head, ("---",) * len(head), *rows]
    return [f"| {' | '.join(cell.replace('|', _BAR) for cell in line)} |" for line in lines]


def page_text(printer: str, lines: Iterable[str]) -> str:
    """Return the text of a page that says what prints it."""
    note = f"<!-- printed by python -m {printer}; do not edit -->"
    return "\n".join([note, *lines]).rstrip("\n") + "\n"


def write_pages(texts: Mapping[str, str], folder: Path) -> None:
    """Write every page of a folder, and remove those that are no more."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.md"):
        if old.name not in texts:
            old.unlink()
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
