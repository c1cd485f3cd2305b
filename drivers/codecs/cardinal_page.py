"""What a technician reads of the scoreboard formats."""

from typing import Final

from drivers.codecs.kind import Page

PAGE: Final = Page(
    title="Scoreboard formats: Cardinal SB-400, Rice Lake IQ355, Weightronix WI-120",
    file="scoreboards",
    makers="Cardinal 190, 200, 210 and 225, Detecto, Fairbanks PC2250, and other indicators that "
    "offer these outputs.",
    about="Streams for a large display, which a computer can read as well. Cardinal 190 answers ENQ "
    "(05h) in SB-400 format: `mode = poll`.",
    cabling="RS-232 with three wires, or a 20 mA loop with an adapter. Speed and framing as set.",
    instrument="Scoreboard type SB-400 where there is a choice: it has a status. With WI-120 "
    "neither stability nor, as far as known, the point is sent: set `decimals` as the display shows.",
    layout="""\
 01234.0lbGMO␍          SB-400: sign, six digits and a point if any, unit, G or N, status
␂   12.50KGM␍␊          IQ355: sign, seven characters, unit letter, G or N, status
G+001234 lb␍␊           WI-120""",
    statuses=(
        ("SB-400 blank, IQ355 blank", "stable"),
        ("`MO`, `M`", "dynamic"),
        ("`BZ`", "dynamic, mark `below zero`: nothing says whether it is stable"),
        ("`CZ`", "stable, mark `centre of zero`"),
        ("`OC`, `O`", "overload, although the weight is sent"),
        ("`ee`, `EE`", "fault: no weight is displayed"),
        ("`I`", "fault: invalid weight"),
        ("`N`", "net"),
        ("WI-120", "always dynamic: it has no status"),
    ),
    slips="No checksum: a changed digit, sign or point passes. The number of digits catches every "
    "lost or added character.",
    sources=(
        "Cardinal 200 series p. 27, 190 p. 65 and 124 (CZ, ENQ), 225 p. 118-120, Detecto 210 p. 33",
        "Fairbanks PC2250 p. 56 (WI-120)",
    ),
    unknown=(
        "Place of a unit of one letter in the two columns of SB-400: either is taken.",
        "Whether the letter T of IQ355 means tonne or short ton: refused until `tons` is set.",
        "Whether WI-120 sends a decimal point: one is taken where it stands, else `decimals` counts.",
        "l/o (pounds and ounces): refused.",
    ),
)
