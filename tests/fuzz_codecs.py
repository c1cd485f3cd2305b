"""Random and mutated bytes through framer and codec of every protocol.

    python -m tests.fuzz_codecs --bytes 10000000 [--only NAME] [--seed N]

Nothing but Garbled is raised, memory and work per byte are bounded, every frame stood in the input
as it is, and every indication was carried by a frame that an independent description of the
protocol's columns, digits and checks accepts.
"""

import argparse
import csv
import random
import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from operator import xor
from pathlib import Path

from drivers.codecs import Answer, Codec, Decoded, codec_named
from drivers.errors import BadDriverSettings, Garbled
from drivers.indication import Condition

LONGEST = 300
"""No frame and no rest of a framer is longer than this [bytes]."""

VARIANTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "mt-sics": ("mt-sics", {}),
    "sartorius-sbi": ("sartorius-sbi", {}),
    "sartorius-sbi16": ("sartorius-sbi16", {"unit": "g"}),
    "sartorius-sbi22": ("sartorius-sbi22", {}),
    "and-std": ("and-std", {}),
    "and-gc": ("and-gc", {}),
    "and-mt": ("and-mt", {}),
    "kern-tm": ("kern-tm", {}),
    "kern-kxs": ("kern-kxs", {}),
    "kern-kxs/6": ("kern-kxs", {"digits": "6"}),
    "generic-stgs": ("generic-stgs", {}),
    "cas-and18": ("cas-and18", {}),
    "dini-argeo": ("dini-argeo", {}),
    "dini-argeo/07": ("dini-argeo", {"address": "07"}),
    "ohaus": ("ohaus", {}),
    "ohaus-scoutpro": ("ohaus-scoutpro", {}),
    "radwag": ("radwag", {}),
    "kern-w": ("kern-w", {}),
    "toledo-cont": ("toledo-cont", {}),
    "toledo-cont/none": ("toledo-cont", {"checksum": "none"}),
    "toledo-cont/toledo": ("toledo-cont", {"checksum": "toledo"}),
    "toledo-cont/fairbanks": ("toledo-cont", {"checksum": "fairbanks"}),
    "toledo-cont/luw2001": ("toledo-cont", {"bits": "luw2001"}),
    "yaohua-xk3190": ("yaohua-xk3190", {"unit": "kg"}),
    "yaohua-xk3190/command": ("yaohua-xk3190", {"format": "command", "unit": "kg"}),
    "yaohua-xk3190/reversed": ("yaohua-xk3190", {"format": "reversed", "unit": "kg"}),
    "yaohua-xk3190/forward": ("yaohua-xk3190", {"format": "forward", "unit": "kg"}),
    "yaohua-xk3190/wg": ("yaohua-xk3190", {"format": "wg"}),
    "yaohua-xk3190/ww": ("yaohua-xk3190", {"format": "ww"}),
    "cas22": ("cas22", {}),
    "cas10": ("cas10", {"unit": "kg"}),
    "cas-cmd": ("cas-cmd", {}),
    "sma": ("sma", {}),
    "rinstrum-fmt1": ("rinstrum-fmt1", {"unit": "kg"}),
    "rinstrum-fmt2": ("rinstrum-fmt2", {}),
    "cardinal-sb400": ("cardinal-sb400", {}),
    "ricelake-iq355": ("ricelake-iq355", {}),
    "weightronix-wi120": ("weightronix-wi120", {}),
    "pattern": (
        "pattern",
        {
            "pattern": r"(?P<status>ST|US|OL),(?P<mode>GS|NT),(?P<value>[ 0-9.+-]{8})(?P<unit>kg|lb)",
            "stable": "ST", "dynamic": "US", "overload": "OL", "gross": "GS", "net": "NT",
        },
    ),
    "pattern/=": (
        "pattern",
        {"pattern": "(?P<value>[0-9.-]{7})", "start": "=", "terminator": "", "length": "7", "reversed": "yes", "unit": "kg"},
    ),
}  # fmt: skip

_STGS = rb"(?:ST|US|OL|UL),(?:GS|NT|TR),"
_SBI = rb"(?:[+ -].{10}[a-zA-Z% ]{3})"
COLUMNS: Mapping[str, bytes] = {
    "mt-sics": rb"(?:S|SI|SR|SIR) (?:[SD] .{10,16} [a-z]{1,3}|[IL+-])",
    "sartorius-sbi": _SBI + rb"|.{6}" + _SBI,
    "sartorius-sbi16": _SBI,
    "sartorius-sbi22": rb".{6}" + _SBI,
    "and-std": rb"(?:ST|US|QT|OL),[+-].{8}.{3}",
    "and-gc": rb"(?:ST|US|QT|OL),(?:(?:OK|HI|LO|--),)?[+-].{8}.{3}",
    "and-mt": rb"(?:S | D|SD|  ).*[0-9.]+ {1,3}[a-zA-Z%]{1,3}|SI *[+-]",
    "kern-tm": rb"(?:ST|US),(?:GS|NT),?[ +-]*[0-9.]+ *(?:[kK]?[gG]|LB|lb)",
    "kern-kxs": _STGS + rb"[+-].{8}.{4}",
    "kern-kxs/6": _STGS + rb"[+-].{7}.{4}",
    "generic-stgs": _STGS + rb"[+-].{7}.{2}",
    "cas-and18": _STGS + rb".{8}.{2}",
    "dini-argeo": _STGS + rb".{8},(?: ?[kK]?[a-z]{1,2} ?| {1,2})",
    "dini-argeo/07": rb"07" + _STGS + rb".{8},(?: ?[kK]?[a-z]{1,2} ?| {1,2})",
    "ohaus": rb".{10} [a-zA-Z%]{1,5}(?: *\?)?(?: +.{1,16})? *",
    "ohaus-scoutpro": rb".{12} [a-zA-Z%]{1,5}(?: *\?)?(?: +.{1,16})? *",
    "radwag": rb"S[IU ][I ][ ?^v] [ -].{9} .{3}|(?:S|SI|SU|SUI|C1|CU1) [IE^v]",
    "kern-w": rb"[ M][ -].{10}(?: .{3,4}| )| *Error",
    "cas22": rb"(?:ST|US|OL),(?:GS|NT),.[\x80-\xff],.{8} .{2}",
    "cas10": rb".{8}",
    "cas-cmd": rb"(?:ST|US|OL),(?:GS|NT),.[\x80-\xff],.{8} .{2}",
    "sma": rb"[ ZOUETIe][1-9][GTNgn][M ]..{10}.{3}",
    "rinstrum-fmt1": rb"[ -].{7}[GNUOME]",
    "rinstrum-fmt2": rb"[ -].{7}[GNUOE][M ][Z ][-12].{3}",
    "cardinal-sb400": rb"\n?[ -][0-9.]{6,7}[a-z ]{1,3}[GN](?:OC|BZ|CZ|MO|ee|EE|  |)",
    "ricelake-iq355": rb"[ -].{7}[KLGOT ][GN][ IMO]",
    "weightronix-wi120": rb"[GN][+-][0-9.]{6} (?:kg|lb)",
    "yaohua-xk3190": rb"[+-][0-9]{6}[0-4][0-9A-F]{2}",
    "yaohua-xk3190/command": rb"A[BCD][+-][0-9]{6}[0-4][0-9A-F]{2}",
    "yaohua-xk3190/reversed": rb"[0-9.]{7}[0-]",
    "yaohua-xk3190/forward": rb"[0-][0-9.]{7}",
    "yaohua-xk3190/wg": rb"W[GN][-0-9. ]{7}kg[0-9A-F]{2}| {9}(?:OL|LO)23",
    "yaohua-xk3190/ww": rb"w[wnt][-0-9.]{7}(?:kg|lb)",
    "pattern": rb"(?:ST|US|OL),(?:GS|NT),.{8}(?:kg|lb)",
    "pattern/=": rb"[0-9.-]{7}",
}
"""A frame of each protocol that carries an indication, as its source's columns have it."""


_ST = rb"(?:07)?ST,.*"
STABLE: Mapping[str, bytes] = {
    "mt-sics": rb"[SIR]+ S .*", "sartorius-sbi": rb".*[a-zA-Z%] *",
    "sartorius-sbi16": rb".*[a-zA-Z%] *", "sartorius-sbi22": rb".*[a-zA-Z%] *", "and-std": _ST,
    "and-gc": _ST, "and-mt": rb"(?:S |  ).*", "kern-tm": _ST, "kern-kxs": _ST, "kern-kxs/6": _ST,
    "generic-stgs": _ST, "cas-and18": _ST, "dini-argeo": _ST, "dini-argeo/07": _ST,
    "ohaus": rb"[^?]*", "ohaus-scoutpro": rb"[^?]*", "radwag": rb"S[IU ][I ] .*",
    "kern-w": rb".{13}[a-zA-Z%].*", "cas22": rb"ST,GS,.[\xc0-\xff].*|ST,NT,.[\xc0-\xff].*",
    "cas-cmd": rb"ST,GS,.[\xc0-\xff].*|ST,NT,.[\xc0-\xff].*", "sma": rb"[ Z].. .*",
    "rinstrum-fmt1": rb".*[GN]", "rinstrum-fmt2": rb".{9} .*[a-z]",
    "cardinal-sb400": rb".*[GN](?:CZ|  |)", "ricelake-iq355": rb".* ", "pattern": _ST,
}  # fmt: skip
"""What a frame must look like to be called stable; a protocol that is not here never is."""

SIGN_AT: Mapping[str, int] = {
    "sartorius-sbi16": 0, "sartorius-sbi22": 6, "and-std": 3, "and-gc": -12, "radwag": 5,
    "rinstrum-fmt2": 0,
}  # fmt: skip
"""Where the sign stands in frames that have a dash elsewhere, too."""


@dataclass(slots=True)
class Figures:
    """What one run came to."""

    name: str
    bytes: int = 0
    frames: int = 0
    indications: int = 0
    answers: int = 0
    garbled: int = 0
    seconds: float = 0.0


def published(protocol: str) -> list[bytes]:
    path = Path(__file__).parent / "data" / "frames.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return [
            row["frame"].encode("ascii").decode("unicode_escape").encode("latin-1")
            for row in csv.DictReader(file)
            if row["protocol"] == protocol
        ]


def samples(codec: Codec, protocol: str, chance: random.Random) -> list[bytes]:
    """Return frames that mean something: the published ones, and some that the codec writes."""
    frames = published(protocol)
    units = [*codec.units.values(), None]
    for _ in range(200):
        number = Decimal(chance.randrange(-20_000, 99_999)).scaleb(-chance.randrange(4))
        message = Decoded(
            f"{number:f}",
            number,
            chance.choice(units),
            chance.choice([Condition.STABLE, Condition.DYNAMIC]),
            chance.choice([None, "net"]),
        )
        try:
            frames.append(codec.encode(message))
        except (BadDriverSettings, KeyError):
            continue
    for condition, detail in (
        (Condition.OVERLOAD, "overload"),
        (Condition.UNDERLOAD, "underload"),
        (Condition.FAULT, "instrument error"),
    ):
        try:
            frames.append(codec.encode(Decoded("", None, None, condition, detail)))
        except BadDriverSettings:
            continue
    return frames


def mutated(frame: bytes, letters: bytes, chance: random.Random) -> bytes:
    data = bytearray(frame)
    for _ in range(chance.choice((0, 0, 1, 1, 1, 2, 4))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(8):
            case 0:
                data[at:at] = bytes([chance.randrange(256)])
            case 1:
                data[at:at] = bytes([chance.choice(letters)])
            case 2:
                del data[at : at + 1]
            case 3 if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            case 4 if at < len(data):
                data[at] = chance.choice(letters)
            case 5:
                del data[at:]
            case 6:
                data[at:at] = data[: chance.randrange(len(data) + 1)]
            case 7:
                data = bytearray(b | 0x80 for b in data)
        if not data:
            break
    return bytes(data)


def stream(codec: Codec, protocol: str, size: int, chance: random.Random) -> Iterator[bytes]:
    """Yield chunks of any size: noise, letters of the protocol, and frames whole or damaged."""
    frames = samples(codec, protocol, chance)
    letters = b"".join(frames) or b"0123456789"
    sent = 0
    while sent < size:
        pieces = []
        for _ in range(200):
            kind = chance.randrange(12)
            if kind == 0:
                pieces.append(chance.randbytes(chance.randrange(1, 60)))
            elif kind == 1:
                pieces.append(bytes(chance.choices(letters, k=chance.randrange(1, 60))))
            elif kind == 2 and chance.randrange(20) == 0:
                pieces.append(bytes([chance.choice(letters)]) * chance.randrange(1, 400))
            else:
                pieces.append(mutated(chance.choice(frames), letters, chance))
        data = b"".join(pieces)
        at = 0
        while at < len(data):
            step = chance.choice((1, 1, 2, 7, 20, 64, 500))
            yield data[at : at + step]
            at += step
        sent += len(data)


def checks_hold(name: str, frame: bytes) -> bool:
    """Say whether the check that a frame carries fits, reckoned anew."""
    if name.startswith("toledo-cont"):
        data = bytes(b & 0x7F for b in frame)
        body, _, rest = data.partition(b"\r")
        total = sum(body) + 13
        allowed = {
            "toledo-cont/none": [None],
            "toledo-cont/toledo": [(128 - total % 128) % 128],
            "toledo-cont/fairbanks": [total % 128],
        }.get(name, [None, (128 - total % 128) % 128])
        given = rest[0] if rest else None
        return given in allowed and len(body) in (10, 16) and len(rest) <= 1
    if name in ("yaohua-xk3190", "yaohua-xk3190/command", "yaohua-xk3190/wg"):
        return frame[-2:] == b"%02X" % reduce(xor, frame[:-2]) or frame[-4:] in (b"OL23", b"LO23")
    return True


def was_carried(name: str, said: Decoded, frame: bytes) -> bool:
    """Say whether a frame carries an indication, by its columns, its digits and its sign alone."""
    columns = COLUMNS.get(name)
    if columns is not None and not re.fullmatch(columns, frame, re.DOTALL):
        return False
    if said.value is None:
        return said.text == "" and said.unit is None
    if said.condition is Condition.STABLE:
        if name.startswith("toledo-cont"):
            if frame[2] & 0x48:  # motion, or not zeroed since power up
                return False
        elif not re.fullmatch(STABLE.get(name, rb"(?!)"), frame, re.DOTALL):
            return False
    shown = bytes(b & 0x7F for b in frame[4:10]) if name.startswith("toledo-cont") else frame
    if name in ("yaohua-xk3190/reversed", "pattern/="):
        shown = shown[::-1]
    if name in ("yaohua-xk3190", "yaohua-xk3190/command", "yaohua-xk3190/wg"):
        shown = shown[:-2]
    digits = re.sub(rb"[^0-9]", b"", shown)
    wanted = said.text.lstrip("-").replace(".", "").lstrip("0").encode("ascii")
    if name.startswith("toledo-cont"):
        wanted = wanted.rstrip(b"0")  # x10 and x100 are in a status word
        negative = bool(frame[2] & 0x02)
    elif name == "sartorius-sbi":
        negative = frame[-14:-13] == b"-"
    elif name in SIGN_AT:
        negative = frame[SIGN_AT[name] :][:1] == b"-"
    else:
        negative = b"-" in frame
    return (
        wanted in digits
        and said.text.startswith("-") == negative
        and Decimal(said.text) == said.value
    )


def fuzz(name: str, size: int, seed: int) -> Figures:
    """Run one protocol; an AssertionError tells what broke."""
    protocol, settings = VARIANTS[name]
    codec = codec_named(protocol, settings)
    chance = random.Random(f"{name} {seed}")
    framer = codec.framer()
    figures = Figures(name)
    recent = b""
    began = time.perf_counter()
    for chunk in stream(codec, protocol, size, chance):
        recent = recent[-LONGEST:] + chunk
        frames = framer.feed(chunk)
        figures.bytes += len(chunk)
        figures.frames += len(frames)
        assert len(frames) <= len(chunk) + 1, "more frames than bytes"
        assert len(framer.pending) <= LONGEST, "a framer that grows"
        for frame in frames:
            assert len(frame) <= LONGEST, "a frame that is too long"
            assert frame in recent, f"{frame!r} never stood in the input"
            try:
                message = codec.decode(frame)
            except Garbled:
                figures.garbled += 1
                continue
            if isinstance(message, Answer):
                figures.answers += 1
                continue
            figures.indications += 1
            assert was_carried(name, message, frame), f"{frame!r} does not carry {message}"
            assert checks_hold(name, frame), f"{frame!r} has a wrong check"
    figures.seconds = time.perf_counter() - began
    return figures


def main() -> None:
    """Run all protocols, or one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, default=10_000_000)
    parser.add_argument("--only", choices=sorted(VARIANTS))
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    head = ("protocol", "bytes", "frames", "indications", "answers", "garbled", "s")
    say = sys.stdout.write
    say("{:<26}{:>12}{:>10}{:>12}{:>9}{:>10}{:>7}\n".format(*head))
    for name in [given.only] if given.only else VARIANTS:
        done = fuzz(name, given.bytes, given.seed)
        say(
            f"{name:<26}{done.bytes:>12,}{done.frames:>10,}{done.indications:>12,}"
            f"{done.answers:>9,}{done.garbled:>10,}{done.seconds:>7.1f}\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
