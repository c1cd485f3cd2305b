"""What a technician reads of the lines that begin with ST, US or OL."""

from typing import Final

from drivers.codecs.kind import Page

PAGE: Final = Page(
    title="ST/US/OL lines: KERN, CAS, Dini Argeo and many indicators",
    file="st-us",
    makers="KERN (KFN-TM, KFB, SFB; KXS-TM, KXG-TM), CAS indicators set to AND 18 bytes, Dini Argeo "
    "(3590, CPWE …), and many Asian indicators that print `ST,GS,+  4.876kg`.",
    about="A line by key, on request or as a stream. The header says stability and gross or net; "
    "the layouts differ in the width of the value and the place of the sign.",
    cabling="Three wires (transmit, receive, ground), crossed or straight as the manual says. Speed "
    "and framing as set on the instrument; try 9600 baud 8N1 first.",
    instrument="Continuous output, or output on request. Choose the printer or PC format, not a "
    "ticket of several lines.",
    layout="""\
ST,GS 1.000KG␍␊                kern-tm
ST,TR,+012.3456  kg␍␊          kern-kxs: sign, eight characters, unit of four
ST,GS,+  4.876kg␍␊             generic-stgs: sign, seven characters, unit of two
ST,GS,000013.5kg␍␊             cas-and18: eight characters, unit of two
ST,NT,   12.34,kg␍␊            dini-argeo: eight characters, comma, unit""",
    statuses=(
        ("`ST`", "stable"),
        ("`US`", "dynamic"),
        ("`OL`", "overload; underload with a minus sign"),
        ("`UL` (dini-argeo)", "underload"),
        ("`GS`", "gross, no mark"),
        ("`NT`", "net"),
        ("`TR` (kern-kxs, generic-stgs)", "quantity `tare`"),
        ("`OK`, `ERR##` (dini-argeo)", "done; refused"),
    ),
    slips="No checksum: a changed digit, sign or point passes. All but `kern-tm` have a fixed "
    "length, so a lost or added character is caught; in `kern-tm` a lost digit passes.",
    sources=(
        "KERN KFN-TM p. 49, SFB p. 51 (spaces as printed there)",
        "KERN KXS/KXG-TM p. 70 (seven- and six-digit formats)",
        "CAS CI-600D p. 75, CI-150A p. 55, NT-200 p. 49 (AND 18 bytes)",
        "Dini Argeo 3590 E-AF03 p. 65 (string), p. 68 (answers)",
        "generic: woxuankai/project_sperm newhub/mods/test_mod_scales.py; the same columns in "
        "MeterUtil.pas of Zhimei PT650D and in Vector VI-200 p. 21",
    ),
    unknown=(
        "What CAS and Dini Argeo print for the weight in overload: not looked at.",
        "Whether KERN commands end with CR LF: set `command_end` as the manual of the model says.",
        "Overload of kern-tm: no source; nothing but ST and US is taken.",
        "KERN GAB-N, KXS without status, and tael of KXS: refused; use `pattern`.",
    ),
)
