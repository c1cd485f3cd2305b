"""Tables as a technician sees them, also on the terminal of a telephone."""

import io

import pytest
from rich.console import Console
from rich.text import Text

from acquisition.output import table


def drawn(width: int) -> str:
    made = table("Records", [("number", "right"), ("bench", "left"), ("", "left")], caption="end")
    made.add_row("41", "meja-timbangan-besar", Text("tidak memenuhi"))
    made.add_row("42", "meja-meter", "")
    out = io.StringIO()
    Console(file=out, width=width, markup=False).print(made)
    return out.getvalue()


def test_a_table_that_fits_is_a_table() -> None:
    assert "┃ number ┃" in drawn(80)


@pytest.mark.parametrize("width", [30, 38])
def test_on_a_terminal_too_narrow_for_its_words_a_table_is_written_row_by_row(width: int) -> None:
    said = drawn(width)
    assert max(map(len, said.splitlines())) <= width
    assert " ".join(said.split()) == (
        "Records number · bench - 41 · meja-timbangan-besar · tidak memenuhi - 42 · meja-meter end"
    )
