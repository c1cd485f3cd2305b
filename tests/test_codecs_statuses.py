"""Every status that the manuals give, frame by frame; and frames that look right and are not."""

from decimal import Decimal

import pytest

from acquisition.language import t
from drivers.codecs import Answer, Decoded
from drivers.indication import Condition
from tests.test_codecs import codec_of, said

STABLE, DYNAMIC = Condition.STABLE, Condition.DYNAMIC


def shown(
    text: str,
    unit: str | None,
    condition: Condition = STABLE,
    detail: str | None = None,
    quantity: str = "weight",
) -> Decoded:
    return Decoded(text, Decimal(text), unit, condition, detail, quantity)


def none(condition: Condition, detail: str) -> Decoded:
    return Decoded("", None, None, condition, detail)


OVER = none(Condition.OVERLOAD, "overload")
UNDER = none(Condition.UNDERLOAD, "underload")
PIECES = none(Condition.FAULT, "the instrument counts pieces")


def fault(detail: str) -> Decoded:
    return none(Condition.FAULT, detail)


CASES: list[tuple[str, bytes, Decoded | Answer]] = [
    # ---- Sartorius
    ("sartorius-sbi16", b"-   123.56 kg \r\n", shown("-123.56", "kg")),
    ("sartorius-sbi16", b"    123.56 g  \r\n", shown("123.56", "g")),
    ("sartorius-sbi16", b"+   123.56    \r\n", shown("123.56", None, DYNAMIC)),
    (
        "sartorius-sbi16",
        b"+  123.5[6]g  \r\n",
        shown("123.56", "g", detail="digits not verified: 1"),
    ),
    (
        "sartorius-sbi16",
        b"+  123.[56]g  \r\n",
        shown("123.56", "g", detail="digits not verified: 2"),
    ),
    ("sartorius-sbi16", b"+ 150.1177 %  \r\n", shown("150.1177", "%")),
    ("sartorius-sbi16", b"+      253 pcs\r\n", PIECES),
    ("sartorius-sbi16", b"      H       \r\n", OVER),
    ("sartorius-sbi16", b"      High    \r\n", OVER),
    ("sartorius-sbi16", b"      LL      \r\n", UNDER),
    ("sartorius-sbi16", b"      C       \r\n", fault("calibration")),
    ("sartorius-sbi16", b"      --      \r\n", fault("no weight is displayed")),
    ("sartorius-sbi16", b"              \r\n", fault("no weight is displayed")),
    ("sartorius-sbi16", b"   Err 054    \r\n", fault("instrument error 054")),
    ("sartorius-sbi22", b"G#    +   1255.7 g  \r\n", shown("1255.7", "g")),
    ("sartorius-sbi22", b"T     +     12.5 g  \r\n", shown("12.5", "g", quantity="tare")),
    ("sartorius-sbi22", b"Qnt   +      235 pcs\r\n", PIECES),
    ("sartorius-sbi22", b"Nom.  +  200.000 g  \r\n", Answer("Nom.", "", "+  200.000 g")),
    ("sartorius-sbi22", b"Stat     ERR 054    \r\n", fault("instrument error 054")),
    ("sartorius-sbi22", b"Stat     APP.ERR    \r\n", fault("instrument error APP.ERR")),
    ("sartorius-sbi22", b"Stat                \r\n", fault("no weight is displayed")),
    ("sartorius-sbi22", b"Stat       OFF      \r\n", fault("no weight is displayed")),
    ("sartorius-sbi", b"N     +    0.006 g  \r\n", shown("0.006", "g", detail="net")),
    ("sartorius-sbi", b"+    0.006 g  \r\n", shown("0.006", "g")),
    # ---- A&D
    ("and-std", b"QT,+00012345 PC\r\n", PIECES),
    ("and-std", b"US,-00005678 PC\r\n", PIECES),
    ("and-std", b"OL,-99999999 PC\r\n", UNDER),
    ("and-std", b"OL,-9999999E+19\r\n", UNDER),
    ("and-std", b"ST,+00000.00 lb\r\n", shown("0.00", "lb")),
    ("and-std", b"ST,+0012.345ozt\r\n", shown("12.345", "toz")),
    ("and-std", b"EC,E1\r\n", Answer("E1", "", "unknown command", error=True)),
    ("and-std", b"\x06\r\n", Answer("", "A")),
    ("and-std", b"ID,000012\r\n", Answer("?ID", "A", "000012")),
    ("and-gc", b"ST,OK,+0001.234 kg\r\n", shown("1.234", "kg", detail="comparator OK")),
    ("and-gc", b"US,--,+0001.234 kg\r\n", shown("1.234", "kg", DYNAMIC, "comparator --")),
    ("and-gc", b"OL,HI,+99999.99 kg\r\n", OVER),
    ("and-mt", b"SD    -183.69 g\r\n", shown("-183.69", "g", DYNAMIC)),
    ("and-mt", b"S    123.45  g\r\n", shown("123.45", "g")),
    ("and-mt", b"     123.45  g\r\n", shown("123.45", "g")),
    ("and-mt", b" D   123.45  g\r\n", shown("123.45", "g", DYNAMIC)),
    ("and-mt", b"SI +\r\n", OVER),
    ("and-mt", b"SI -\r\n", UNDER),
    # ---- ST and US
    ("kern-tm", b"US,GS 1.342KG\r\n", shown("1.342", "kg", DYNAMIC)),
    ("kern-tm", b"ST,NT -1.342KG\r\n", shown("-1.342", "kg", detail="net")),
    ("kern-kxs", b"US,GS,+01234.56  lb\r\n", shown("1234.56", "lb", DYNAMIC)),
    ("kern-kxs", b"ST,NT,-012.3456  kg\r\n", shown("-12.3456", "kg", detail="net")),
    ("kern-kxs", b"OL,GS,-            \r\n", UNDER),
    ("generic-stgs", b"US,NT,-  4.876kg\r\n", shown("-4.876", "kg", DYNAMIC, "net")),
    ("generic-stgs", b"OL,GS,+       kg\r\n", OVER),
    ("generic-stgs", b"OL,GS,-  9.999kg\r\n", UNDER),
    ("generic-stgs", b"ST,GS,+ 12.345 t\r\n", shown("12.345", "t")),
    ("cas-and18", b"US,NT,-00013.5 t\r\n", shown("-13.5", "t", DYNAMIC, "net")),
    ("cas-and18", b"OL,GS,        kg\r\n", OVER),
    ("dini-argeo", b"US,GS,  -12.34,Kg\r\n", shown("-12.34", "kg", DYNAMIC)),
    ("dini-argeo", b"UL,GS,  -12.34,kg\r\n", UNDER),
    ("dini-argeo", b"OL,GS,   12.34,kg\r\n", OVER),
    ("dini-argeo", b"OK\r\n", Answer("", "A")),
    ("dini-argeo", b"ERR03\r\n", Answer("ERR03", "", "not executable now", error=True)),
    # ---- Ohaus
    ("ohaus", b"     -1.20 kg   NET\r\n", shown("-1.20", "kg", detail="net")),
    ("ohaus", b"     -1.20 kg    ? G         \r\n", shown("-1.20", "kg", DYNAMIC)),
    ("ohaus", b"    192.08 g   00:00:30\r\n", shown("192.08", "g")),
    ("ohaus", b"      0.50 kg   T\r\n", shown("0.50", "kg", quantity="tare")),
    ("ohaus", b"    207.80 g TOTAL\r\n", Answer("TOTAL", "", "207.80 g TOTAL")),
    ("ohaus", b"         3 PCS\r\n", PIECES),
    ("ohaus", b"ES\r\n", Answer("ES", "", "not accepted, or not stable in time", error=True)),
    ("ohaus-scoutpro", b"        0.00 g     \r\n", shown("0.00", "g")),
    ("ohaus-scoutpro", b"      0.5950 oz   ?\r\n", shown("0.5950", "oz", DYNAMIC)),
    # ---- Radwag
    ("radwag", b"SI ?       18.5 kg \r\n", shown("18.5", "kg", DYNAMIC)),
    ("radwag", b"S            12 pcs\r\n", PIECES),
    ("radwag", b"SUI^     500.00 g  \r\n", OVER),
    ("radwag", b"C1 I\r\n", fault("not executable now")),
    ("radwag", b"Z D\r\n", Answer("Z", "D")),
    ("radwag", b"Z ^\r\n", Answer("Z", "^")),
    ("radwag", b"ES\r\n", Answer("ES", "", "unknown command", error=True)),
    # ---- old KERN
    ("kern-w", b" -      1.50 kg \r\n", shown("-1.50", "kg")),
    ("kern-w", b"M       1.50 g  \r\n", shown("1.50", "g")),
    ("kern-w", b"        0.00 \r\n", shown("0.00", None, DYNAMIC)),
    ("kern-w", b"           Error\r\n", fault("instrument error")),
    ("kern-w", b"       Error\r\n", fault("instrument error")),
    ("kern-w", b"          12 pcs\r\n", PIECES),
    # ---- CAS
    ("cas22", b"US,NT,1\x82,-00013.5 kg\r\n", shown("-13.5", "kg", DYNAMIC, "net")),
    ("cas22", b"ST,GS,1\xe5,000000.0  t\r\n", shown("0.0", "t", detail="centre of zero")),
    ("cas22", b"ST,GS,1\x84,000013.5 kg\r\n", shown("13.5", "kg", DYNAMIC)),  # lamp says no
    ("cas22", b"ST,GS,1\xd4,000013.5 kg\r\n", fault("the display is held")),
    ("cas22", b"OL,GS,1\x84,000000.0 kg\r\n", OVER),
    ("cas22", b"OL,GS,1\x84,-00000.0 kg\r\n", UNDER),
    ("cas10", b"-00013.5\r\n", shown("-13.5", None, DYNAMIC)),
    ("cas-cmd", b"01MZ\r\n", Answer("01MZ", "A")),
    ("cas-cmd", b"!\r\n", Answer("!", "", "not executable now", error=True)),
    ("cas-cmd", b"ST,GS,1\xc4,000013.5 kg\r\n", shown("13.5", "kg")),
    # ---- SMA
    ("sma", b"\n 2N      -12.50kg \r", shown("-12.50", "kg", detail="net; range 2")),
    ("sma", b"\n 1nM     5.0025lb \r", shown("5.0025", "lb", DYNAMIC, "net; high resolution")),
    ("sma", b"\n 1T      12.500kg \r", shown("12.500", "kg", quantity="tare")),
    ("sma", b"\nU1G      -5.000kg \r", UNDER),
    ("sma", b"\n 1N  ----------   \r", fault("not executable now, or not stable in time")),
    ("sma", b"\ne1G  ----------   \r", fault("no weight is displayed")),
    ("sma", b"\nSMA:2/1.0\r", Answer("A", "A", "SMA:2/1.0")),
    ("sma", b"\nMFG:somebody\r", Answer("B", "A", "MFG:somebody")),
    ("sma", b"\n  C \r", Answer("D", "A", "  C")),
    # ---- Rinstrum
    ("rinstrum-fmt1", b"\x02-  12.34N\x03", shown("-12.34", None, detail="net")),
    ("rinstrum-fmt1", b"\x02   12.34M\x03", shown("12.34", None, DYNAMIC)),
    ("rinstrum-fmt1", b"\x02        U\x03", UNDER),
    ("rinstrum-fmt1", b"\x02        E\x03", fault("instrument error")),
    ("rinstrum-fmt2", b"\x02-  12.34NM -   \x03", shown("-12.34", None, DYNAMIC, "net")),
    (
        "rinstrum-fmt2",
        b"\x02    0.00G Z2  t\x03",
        shown("0.00", "t", detail="centre of zero; range 2"),
    ),
    ("rinstrum-fmt2", b"\x02        O  -   \x03", OVER),
    # ---- scoreboards
    ("cardinal-sb400", b" 001234kgN\r", shown("1234", "kg", detail="net")),
    ("cardinal-sb400", b" 00000.0t GCZ\r", shown("0.0", "t", detail="centre of zero")),
    ("cardinal-sb400", b" 00000.0 tG  \r", shown("0.0", "t")),
    ("cardinal-sb400", b" 000000lbGee\r", fault("no weight is displayed")),
    ("ricelake-iq355", b"\x02-  12.50LN \r\n", shown("-12.50", "lb", detail="net")),
    ("ricelake-iq355", b"\x02        GGO\r\n", OVER),
    ("ricelake-iq355", b"\x02        GGI\r\n", fault("invalid weight")),
    ("weightronix-wi120", b"N-012.50 kg\r\n", shown("-12.50", "kg", DYNAMIC, "net")),
]


@pytest.mark.parametrize(
    ("name", "frame", "message"), CASES, ids=[f"{n} {f!r}" for n, f, _ in CASES]
)
def test_a_frame_means_what_its_manual_says(
    name: str, frame: bytes, message: Decoded | Answer
) -> None:
    codec = codec_of(name)
    assert said(codec, [frame]) == [message]
    for cut in range(len(frame)):
        assert said(codec, [frame[:cut], frame[cut:]]) == [message]


REFUSED: list[tuple[str, bytes]] = [
    ("sartorius-sbi16", b"+   123.5 g  \r\n"),  # one character was lost
    ("sartorius-sbi16", b"+  1123.56  g  \r\n"),
    ("sartorius-sbi16", b"+   12 .56 g  \r\n"),
    ("sartorius-sbi16", b"+   123.56 tlh\r\n"),  # a tael has several sizes
    ("sartorius-sbi22", b"+   123.56 g  \r\n"),
    ("sartorius-sbi22", b"Stat     What       \r\n"),
    ("and-std", b"ST,OK,+0001.234 kg\r\n"),  # that is and-gc
    ("and-std", b"ST,+0001.23 kg\r\n"),
    ("and-std", b"ST,+0001.23  kg\r\n".replace(b"  kg", b"   kg")),
    ("and-std", b"ST,+000 .234 kg\r\n"),
    ("and-std", b"XT,+0001.234 kg\r\n"),
    ("and-std", b"OL,+99999.9  g\r\n"),
    ("kern-kxs", b"ST,GS,+12.3456  kg\r\n"),  # six digits where seven are set
    ("kern-kxs", b"ST,GS,+012.3456tl.g\r\n"),
    ("generic-stgs", b"ST,GS,+ 4.876kg\r\n"),
    ("generic-stgs", b"ST,GS, +  4.876kg\r\n"),
    ("generic-stgs", b"ST,GS,+  4.87 kg\r\n"),
    ("cas-and18", b"ST,GS,00013.5kg\r\n"),
    ("dini-argeo", b"07ST,NT,   12.34,kg\r\n"),  # an address that was not set
    ("ohaus", b"   192.21 g\r\n"),
    ("ohaus", b"     192.21 g\r\n"),
    ("ohaus", b"     1 lb:oz\r\n"),
    ("radwag", b"S    -     8.5 g  \r\n"),
    ("radwag", b"SI    -  8192.8 N  \r\n"),  # the sign one column late
    ("radwag", b"QQ A\r\n"),
    ("kern-w", b"      00.02    \r\n"),
    ("kern-w", b"    Error\r\n"),
    ("cas22", b"ST,GS,1D,000013.5 kg\r\n"),  # bit 7 of the lamps was cut off by a 7-bit line
    ("cas22", b"ST,GS,1\xc4,00013.5 kg\r\n"),
    ("cas22", b"ST,GS,1\xc4,000013.5\x05kg\r\n"),  # relay states that were not set
    ("cas10", b"00013.5\r\n"),
    ("cas10", b"0000013.5\r\n"),
    ("cas-cmd", b"01RX\r\n"),
    ("sma", b"\n 1G      7.650kg\r"),
    ("sma", b"\n 1G -    7.650kg \r"),
    ("sma", b"\n 1G    7.650  kg \r"),
    ("sma", b"\nX1G      7.650kg \r"),
    ("rinstrum-fmt2", b"\x02   12.34G  -kg \x03"),
    ("rinstrum-fmt2", b"\x02   12.34G  -lbs\x03"),
    ("cardinal-sb400", b" 0123.0lbG  \r"),
    ("cardinal-sb400", b" 01234.0l/oG  \r"),
    ("ricelake-iq355", b"\x02   12.50TG \r\n"),  # tonne or short ton
    ("weightronix-wi120", b"G+01234 lb\r\n"),
]


@pytest.mark.parametrize(("name", "frame"), REFUSED, ids=[f"{n} {f!r}" for n, f in REFUSED])
def test_a_frame_that_is_not_quite_one_is_refused(name: str, frame: bytes) -> None:
    assert said(codec_of(name), [frame]) == []


OPTIONS: list[tuple[str, dict[str, str], bytes, Decoded]] = [
    ("sartorius-sbi16", {"unit": "g"}, b"+   123.56    \r\n", shown("123.56", "g", DYNAMIC)),
    ("cas10", {"unit": "kg"}, b"000013.5\r\n", shown("13.5", "kg", DYNAMIC)),
    ("cas22", {"device": "13"}, b"ST,GS,=\xc4,000013.5 kg\r\n", shown("13.5", "kg")),
    ("cas22", {"relay": "yes"}, b"ST,GS,1\xc4,000013.5\x05kg\r\n", shown("13.5", "kg")),
    ("cas22", {"relay": "yes"}, b"ST,GS,1\xc4,000013.5\nkg\r\n", shown("13.5", "kg")),
    ("cas-cmd", {"frame": "10", "unit": "t"}, b"000013.5\r\n", shown("13.5", "t", DYNAMIC)),
    ("rinstrum-fmt1", {"unit": "kg"}, b"\x02   12.34G\x03", shown("12.34", "kg")),
    ("kern-w", {"unit": "g"}, b"        0.00 \r\n", shown("0.00", "g", DYNAMIC)),
    ("kern-kxs", {"digits": "6"}, b"ST,GS,+12.3456  kg\r\n", shown("12.3456", "kg")),
    ("generic-stgs", {"width": "8"}, b"ST,GS,+   4.876kg\r\n", shown("4.876", "kg")),
    (
        "dini-argeo",
        {"address": "07"},
        b"07ST,NT,   12.34,kg\r\n",
        shown("12.34", "kg", detail="net"),
    ),
    ("ohaus", {"width": "9"}, b"   192.21 g\r\n", shown("192.21", "g")),
    ("ricelake-iq355", {"tons": "t"}, b"\x02   12.50TG \r\n", shown("12.50", "t")),
    ("weightronix-wi120", {"decimals": "2"}, b"G+001234 lb\r\n", shown("12.34", "lb", DYNAMIC)),
    ("weightronix-wi120", {"decimals": "5"}, b"G+000004 lb\r\n", shown("0.00004", "lb", DYNAMIC)),
]


@pytest.mark.parametrize(("name", "given", "frame", "message"), OPTIONS)
def test_a_setting_changes_what_a_frame_means(
    name: str, given: dict[str, str], frame: bytes, message: Decoded
) -> None:
    codec = codec_of(name, **given)
    assert said(codec, [frame]) == [message]
    if "relay" not in given:
        assert codec.encode(message) in (frame, codec.encode(message))
    assert said(codec, [codec.encode(message)]) == [message]


def test_another_device_on_the_line_is_not_heard() -> None:
    frame = b"ST,GS,2\xc4,000013.5 kg\r\n"
    assert said(codec_of("cas22", device="1"), [frame]) == []
    assert said(codec_of("cas22", device="2"), [frame]) == [shown("13.5", "kg")]


REQUESTS = [
    ("sartorius-sbi22", {}, (b"\x1bP\r\n", None, b"\x1bV\r\n", b"\x1bU\r\n")),
    ("and-std", {}, (b"Q\r\n", b"SIR\r\n", b"Z\r\n", b"T\r\n")),
    ("kern-tm", {}, (b"W", None, b"Z", b"T")),
    ("kern-tm", {"command_end": "crlf"}, (b"W\r\n", None, b"Z\r\n", b"T\r\n")),
    ("kern-w", {}, (b"w", None, None, b"t")),
    ("dini-argeo", {"address": "07"}, (b"07READ\r\n", None, b"07ZERO\r\n", b"07TARE\r\n")),
    ("ohaus", {}, (b"IP\r\n", b"CP\r\n", b"Z\r\n", b"T\r\n")),
    ("ohaus-scoutpro", {}, (b"P\r\n", b"CA\r\n", None, b"T\r\n")),
    ("radwag", {}, (b"SI\r\n", b"C1\r\n", b"Z\r\n", b"T\r\n")),
    ("cas-cmd", {}, (b"01RW\r\n", None, b"01MZ\r\n", b"01MT\r\n")),
    ("cas-cmd", {"device": "13"}, (b"13RW\r\n", None, b"13MZ\r\n", b"13MT\r\n")),
    ("sma", {}, (b"\nW\r", b"\nR\r", b"\nZ\r", b"\nT\r")),
    ("toledo-cont", {}, (None, None, b"Z\r\n", b"T\r\n")),
    ("cardinal-sb400", {}, (b"\x05", None, None, None)),
    ("yaohua-xk3190", {}, (None, None, None, None)),
    ("yaohua-xk3190", {"format": "command"}, (b"\x02AB03\x03", None, None, None)),
    ("yaohua-xk3190", {"format": "command", "read": "net", "address": "C"}, (b"\x02CD07\x03", None, None, None)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given", "wanted"), REQUESTS)
def test_requests_are_those_of_the_manual(
    name: str, given: dict[str, str], wanted: tuple[bytes | None, ...]
) -> None:
    asked = codec_of(name, **given).requests
    assert (asked.poll, asked.stream, asked.zero, asked.tare) == wanted


def words() -> set[str]:
    details = {m.detail for _, _, m in CASES if isinstance(m, Decoded) and m.detail}
    reasons = {m.text for _, _, m in CASES if isinstance(m, Answer) and m.error}
    return {part for said in details | reasons for part in said.split("; ")}


@pytest.mark.parametrize("part", sorted(words()))
def test_what_an_instrument_says_of_itself_has_an_indonesian_word(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERA_LANG", "id")
    assert t(part) != part
