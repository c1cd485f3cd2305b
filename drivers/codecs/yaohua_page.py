"""What a technician reads of Yaohua XK3190 indicators."""

from typing import Final

from drivers.codecs.kind import Page

PAGE: Final = Page(
    title="Yaohua XK3190",
    file="yaohua-xk3190",
    makers="Shanghai Yaohua XK3190-A1+, A9+, A12(E), A23p, A26, DS1, DS3 (by manual), A6, A27, C8, "
    "D10 (by drivers), and indicators with the same output (KLAS, Kala, Pro, Liden LUW2001): most "
    "weighbridges in Indonesia.",
    about="A stream, or answers to an address. None of the formats says whether the weight is "
    "stable, so every indication is dynamic; most carry no unit: set `unit` as the display shows it.",
    cabling="15-pin D-sub, shared with the scoreboard: 6 RXD, 7 TXD, 8 ground for RS-232 (A1, A9, "
    "DS1, DS3); 1 to 4 are RS-422 where it is fitted. 8N1; 600 to 9600 baud as set.",
    instrument='Parameter tF (A9, DS1, DS3, D10): 0 is `format = "tf0"`, 1 is `command` with '
    "address Adr 1 = A. A23 and A26: format 0 is `tf0`, 1 (A23: 2) `reversed`, 2 (A26) `forward`. "
    "A12: `wg` or `ww`, as the bytes show.",
    layout="""\
␂+023960015␃              tf0: sign, six digits, decimal places, two check characters
␂AB03␃ → ␂AB+0239600..␃   command: address A, B gross; the same with address and letter before
=00.1000-=00.1000-        reversed: -1.00, lowest digit first, sign last
=-0001.00=-0001.00        forward
WG004.139kg3D␍␊           wg, with a check; nine blanks, OL or LO, 23 for over and under
wn0003.17kg␍␊             ww: ww gross, wn net, wt tare""",
    statuses=(
        ("every weight", "dynamic: no format tells stability"),
        ("answer to `B`, `ww`, `WG`", "gross, no mark"),
        ("answer to `D`, `wn`, `WN`", "net"),
        ("answer to `C`, `wt`", "quantity `tare`"),
        ("`OL`, `LO` (wg)", "overload, underload"),
        ("answer to `A`", "handshake: no indication"),
    ),
    slips="`tf0`, `command` and `wg` carry an XOR: one changed bit or byte is always caught, two "
    "equal changes pass. `reversed`, `forward` and `ww` have no check: a changed digit, sign or "
    "point passes; a lost or added character is caught by the length. A stream in `forward` that "
    "is read as `reversed` gives wrong weights: compare with the display.",
    sources=(
        "tf0 and command: Yaohua XK3190-A9+ p. 9-10, DS3 p. 5-6, DS1 p. 5, A1+P p. 13-21, A26 p. 10, A23p p. 21",
        "tf0, independent: Xk3190A9Reader.cs (check verified), MeterUtil.pas XK3190A9, "
        "fahmimsh/Parse-XK3190-A9, an A9+ emulator that sends +023960015 (its check 15 is ours)",
        "reversed: A23p p. 21 and A26 p. 11 (both examples), independent MeterUtil.pas (digits "
        "behind = read backwards); forward: A26 p. 11 alone",
        "wg: A12 and A12(E) p. 12 (example 3D and OL23 are our checks); ww: Liden LUW2001 p. 16, "
        "independent MeterUtil.pas XK3190A12, MCUSH XK3190A12, YaohuaA12EParser (wn0003.17kg)",
    ),
    unknown=(
        "What tf0, command, reversed, forward and ww send in overload: anything but digits is refused.",
        "Width of the weight in ww: 7 in two sources, 8 and 9 in LUW2001; set `width`.",
        "D2+ sends eight bytes with =, by drivers only: use `pattern` with terminator = and reversed.",
        "Zero and tare by command (R, T, Z of A12; C602): one source each; not sent.",
        "A26 format 3 (price) and the scoreboard output of 19 bits: refused.",
    ),
)
