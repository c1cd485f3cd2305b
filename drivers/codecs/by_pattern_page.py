"""What a technician reads of a protocol of their own."""

from typing import Final

from drivers.codecs.kind import Page

PAGE: Final = Page(
    title="A pattern of your own",
    file="pattern",
    makers="Any indicator that sends its weight as text and has no page here.",
    about="A regular expression says what a frame looks like, and its named fields say where "
    "value, sign, unit, status and mode stand. Everything is in the configuration.",
    cabling="As the indicator's manual says.",
    instrument="A continuous output that carries unit and stability, where there is a choice.",
    layout=r"""
[bench.instrument.settings]
pattern = '(?P<status>ST|US|OL),(?P<mode>GS|NT),(?P<value>[ 0-9.+-]{8})(?P<unit>kg| t)'
stable = "ST"
dynamic = "US"
overload = "OL"
gross = "GS"
net = "NT"

# eight bytes, digits lowest first:  =00.1000
pattern = '(?P<value>[0-9.-]{7})'
start = "="
terminator = ""
length = "7"
reversed = "yes"
unit = "kg"
""".strip("\n"),
    statuses=(
        ("field `value`", "digits with or without sign and point; anything else is refused"),
        ("field `sign`", "a marker of `plus` or `minus`"),
        ("field `status`", "a marker of `stable`, `dynamic`, `overload`, `underload` or `fault`"),
        ("field `mode`", "a marker of `gross`, `net` or `tare`"),
        ("field `unit`", "one of `units`; blank, or without the field, it is `unit`"),
        ("no field `status`", "every indication is dynamic"),
        ("a marker or unit that is not listed", "the frame is refused"),
    ),
    slips="What the pattern lets through. Give exact widths, such as {8}: then a lost or added "
    "character is caught. No checksum can be given.",
    sources=("the instrument's manual, and its own display",),
    unknown=(
        "Repeated groups, look-around and back-references are refused, and so is a pattern that "
        "could match one frame in more than 100 000 ways.",
    ),
)
