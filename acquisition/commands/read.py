"""``tera read`` and ``tera decode``: what an instrument shows, line by line."""

import argparse
import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from acquisition.config import MANUAL, Instrument, instrument_settings, with_protocol_settings
from acquisition.faults import BadInput, sentence
from acquisition.feed import to_wire
from acquisition.instruments import Lines, make_driver
from acquisition.language import t
from acquisition.output import console, number, print_json, word
from acquisition.typed_settings import typed_settings
from drivers.codecs import CODECS, Decoded, codec_named
from drivers.errors import Garbled, NoAnswer
from drivers.framing import Framer
from drivers.indication import Condition, Indication, Origin


def main(arguments: argparse.Namespace) -> int:
    """Run the command."""
    if arguments.driver == MANUAL:
        raise BadInput(
            "an instrument that is read by eye has no bytes: a technician types what it shows in "
            "`tera verify`",
            place="--driver",
        )
    if arguments.command == "decode" and arguments.driver == "modbus":
        raise BadInput("decode reads serial protocols; modbus needs a bus: use tera read")
    settings = _settings(arguments)
    if arguments.command == "decode":
        return _decode(settings, as_json=arguments.json)
    if arguments.count is not None and arguments.count < 1:
        raise BadInput("must be at least 1", place="--count")
    if arguments.seconds is not None and not arguments.seconds > 0:
        raise BadInput("must be greater than 0", place="--seconds")
    return asyncio.run(_read(settings, arguments))


def _settings(arguments: argparse.Namespace) -> Instrument:
    given: dict[str, Any] = typed_settings(arguments.settings)
    for key in ("driver", "port"):
        if key in given:
            raise BadInput("this key is not known", place=f"--set {key}")
    name = given.pop("name", arguments.driver)
    if arguments.command == "decode" and arguments.driver in CODECS:
        given.setdefault("mode", "listen")  # bytes are never asked for
    return instrument_settings(
        name=name,
        driver=arguments.driver,
        port=getattr(arguments, "port", "-"),
        **with_protocol_settings(arguments.driver, given),
    )


async def _read(settings: Instrument, arguments: argparse.Namespace) -> int:
    lines = Lines()
    driver = make_driver(settings, settings.port, lines)
    _warn(settings)
    seen = 0
    printer = _printer(as_json=arguments.json)
    try:
        async with asyncio.timeout(arguments.seconds):
            async with contextlib.aclosing(driver.indications()) as indications:
                async for indication in indications:
                    if indication.condition is Condition.FAULT and not seen and driver.last_error:
                        raise driver.last_error  # the line; what the instrument says is printed
                    printer(indication)
                    seen += 1
                    if seen == arguments.count:
                        return 0
    except TimeoutError:
        if not seen:
            raise driver.last_error or NoAnswer(
                "nothing arrived at {port} within {seconds} s",
                port=settings.port,
                seconds=arguments.seconds,
            ) from None
    finally:
        await lines.aclose()
    return 0


def _warn(settings: Instrument) -> None:
    """Say what is not established about a register map, before its first number."""
    if settings.driver != "modbus":
        return
    known = settings.register_map()
    if known.provisional:
        warning = t(
            "the register map {map} is provisional: compare every value with the instrument's own "
            "display, as docs/maps/{map}.md says",
            map=known.id,
        )
        print(f"tera: {warning}", file=sys.stderr)


def _decode(settings: Instrument, *, as_json: bool) -> int:
    codec = codec_named(settings.driver, settings.settings)
    printer = _printer(as_json=as_json)
    framer = codec.framer()
    garbled = 0
    sequence = 0
    for frame in _frames(framer):
        try:
            decoded = codec.decode(frame)
        except Garbled as error:
            garbled += 1
            print(f"tera: {sentence(error)}", file=sys.stderr)
            continue
        if isinstance(decoded, Decoded):
            printer(_indication(decoded, settings.name, sequence, frame))
            sequence += 1
    if garbled or framer.pending:
        print(
            t(
                "{garbled} frames could not be read and were dropped; {bytes} bytes at the end are no whole frame",
                garbled=garbled,
                bytes=len(framer.pending),
            ),
            file=sys.stderr,
        )
    return 0


def _frames(framer: Framer) -> Iterator[bytes]:
    while chunk := os.read(sys.stdin.fileno(), 65536):
        yield from framer.feed(chunk)
    yield from framer.finish()


def _indication(decoded: Decoded, name: str, sequence: int, frame: bytes) -> Indication:
    now = time.monotonic_ns()
    return Indication(
        instrument=name,
        quantity=decoded.quantity,
        text=decoded.text,
        value=decoded.value,
        unit=decoded.unit,
        condition=decoded.condition,
        detail=decoded.detail,
        origin=Origin.REPLAY,
        time=datetime.now(UTC),
        since_ns=now,
        arrived_ns=now,
        sequence=sequence,
        raw=frame,
    )


def _printer(*, as_json: bool) -> Callable[[Indication], None]:
    """Return a function that prints one indication at a time, as it comes."""
    if as_json:
        return lambda indication: print_json([to_wire(indication)])
    out = console()
    heading = (
        f"{t('time'):<14}{t('quantity'):<18}{t('indication'):>16} {t('unit'):<8} {t('condition')}"
    )

    def line(indication: Indication) -> None:
        if indication.sequence == 0:
            out.print(heading, style="bold")
        shown = indication.text if indication.value is None else number(indication.value)
        clock = indication.time.astimezone().strftime("%H:%M:%S.%f")[:-3]
        out.print(
            f"{clock:<14}{t(indication.quantity):<18}{shown or '–':>16} {indication.unit or '':<8}",
            word(indication.condition.value),
            *([f"({_said(indication.detail)})"] if indication.detail else []),
            soft_wrap=True,
        )

    return line


def _said(detail: str) -> str:
    """Say a detail: one sentence, or marks one by one."""
    return "; ".join(t(part) for part in detail.split("; "))
