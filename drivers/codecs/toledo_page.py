"""What a technician reads of Toledo continuous output."""

from typing import Final

from drivers.codecs.kind import Page

PAGE: Final = Page(
    title="Toledo continuous",
    file="toledo-continuous",
    makers="Mettler Toledo (8142, 8530, IND, Wildcat), KERN FTC, Fairbanks, Cardinal, Rice Lake, "
    "Liden LUW2001, Tufner T900, Triner TS-700 and most scoreboard outputs of other indicators.",
    about="A stream of about seven frames a second that nobody asks for. The weight has neither "
    "point nor sign: status words carry them.",
    cabling="Three wires, of which receive and ground are enough. Often 7E1, 4800 baud or more. A "
    "line read as 8N1 works too: the parity bit is ignored.",
    instrument="Output: continuous (scoreboard, remote display). Switch the checksum on and set "
    '`checksum = "toledo"` (Fairbanks: `fairbanks`); without it nothing catches a changed digit. '
    "Normal display, not expanded.",
    layout="""\
␂ A B C W W W W W W T T T T T T ␍ [check]     long: weight and tare
␂ A B C W W W W W W ␍ [check]                 short
A: bits 0-2 decimal point (0 x100, 1 x10, 2 none, 3 .X … 7 .XXXXX), bit 5 = 1, bit 6 = 0
B: bit 0 net, 1 minus, 2 out of range, 3 motion, 4 kg, 5 = 1, 6 not zeroed since power up
C: bits 0-2 unit (0 kg or lb as B says, 1 g, 2 t), 3 print, 4 expanded, 5 = 1
bits = "luw2001": C bit 0 unit (0 kg, 1 lb), B bit 4 = 1, C bit 4 = 1, A bits 3, 4, 6 ignored""",
    statuses=(
        ("B bit 3, motion", "dynamic"),
        ("B bit 6, not zeroed", "dynamic, mark `zero not set`"),
        ("B bit 2 with plus", "overload"),
        ("B bit 2 with minus", "underload"),
        ("B bit 0", "net"),
        ("tare that is not 0", "mark `tare …`"),
        ("C bit 4, expanded", "fault: the display is expanded"),
        ("C bits 3 and 6 (print, keyboard tare)", "not looked at"),
    ),
    slips="With a checksum one changed byte is always caught; two that cancel pass. Without it a "
    "changed digit or status bit passes; a lost or added byte is caught by the length. "
    "`checksum = auto` cannot tell a checksum that was cut off from one that is not sent.",
    sources=(
        "Mettler Toledo Wildcat p. 6-4, 6-5; KERN FTC p. 42; IND445 p. 50; Rockwell 57C428 app. D",
        "Fairbanks PC2250 p. 55-56 (sum of eight bits), Cardinal 225 p. 118 (short)",
        "Tufner T900 p. 21, Triner TS-700 p. 12-13 (unit t), Liden LUW2001 p. 16 (clone bits)",
    ),
    unknown=(
        "Whether an expanded display moves the decimal point: refused as a fault.",
        "Word A of LUW2001 beyond the decimal point: bits 3, 4 and 6 are not looked at.",
        "Fairbanks with a decimal point may send five digits: a frame of another length is refused.",
        "Answers to P, T, Z and C: none is known.",
    ),
)
