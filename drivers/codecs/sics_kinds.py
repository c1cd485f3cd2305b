"""The names under which MT-SICS is known, and its page."""

from typing import Final

from drivers.codecs.kind import Kind, Page, Settings
from drivers.codecs.mt_sics import MtSics

PAGE: Final = Page(
    title="MT-SICS, KERN KCP, Ohaus with MT-SICS",
    file="mt-sics",
    makers="Mettler Toledo balances and terminals; KERN instruments with KCP; Ohaus instruments "
    "that offer MT-SICS.",
    about="Requests and answers in lines. SI answers at once, S waits until stable, SIR repeats at "
    "the display's rate. KCP wants more than 100 ms between polls, also over Ethernet (port 23 of "
    "a YKV-02: `socket://host:23`).",
    cabling="Three wires (transmit, receive, ground), crossed or straight as the manual says, or USB "
    "with a virtual port; 9600 baud 8N1 as delivered, no handshake.",
    instrument="Interface: host, MT-SICS (KERN: P2 Com, ASK, PTYPE KCP; Ohaus Ranger: send PSI). "
    "Continuous output off for polling.",
    layout="""\
S S     129.07 g␍␊       answer to S, SI, SIR: status, value of ten characters, unit
S D     129.07 g␍␊       not stable
Z A␍␊  T S   100.00 g␍␊  answers to commands
ES␍␊                     errors""",
    statuses=(
        ("`S S`", "stable"),
        ("`S D`", "dynamic"),
        ("`S +`, `S -`", "overload, underload"),
        ("`S I`", "fault: not executable now, or not stable in time"),
        ("`S L`", "fault: wrong parameter"),
        ("`Z A`, `ZI S`, `T S …`, `I4 A …`", "answers: no indication"),
        ("`ES`, `ET`, `EL`", "syntax, transmission and logical error"),
    ),
    slips="No checksum: a changed digit, sign or point passes. The width of the value catches a "
    "lost or added character.",
    sources=(
        "Mettler Toledo MT-SICS reference for XPR/XSR; KERN FTC p. 39, ITT p. 48, KIB-TM p. 33, "
        "KERN KCP reference manual KCP-ZB-e-19137",
        "Atlantis-Software/mt-sics test/sics0Test.js; janelia mettler_toledo_device.py",
    ),
    unknown=("Levels 2 and 3 (filters, adjustment, dosing): not used.",),
)


def _make(name: str, _: Settings) -> MtSics:
    return MtSics(name)


KINDS: Final = (
    Kind("mt-sics", "Mettler Toledo MT-SICS", PAGE, _make),
    Kind("kern-kcp", "KERN KCP", PAGE, _make),
    Kind("ohaus-mt-sics", "Ohaus with MT-SICS", PAGE, _make),
)
