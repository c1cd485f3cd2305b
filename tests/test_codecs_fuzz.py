"""A short run of the fuzzer for every protocol, and bounds on the work that a byte can cause."""

import random
import re
import re._constants as kinds  # type: ignore[import-not-found,unused-ignore]
import re._parser as parser  # type: ignore[import-not-found,unused-ignore]
import sys
from collections.abc import Iterator
from pkgutil import iter_modules
from types import FrameType, ModuleType
from typing import Any

import pytest

import drivers.codecs
from drivers.codecs import Codec, codec_named
from drivers.errors import Garbled
from tests.fuzz_codecs import LONGEST, VARIANTS, fuzz, samples

SHORT = 200_000


@pytest.mark.parametrize("name", VARIANTS)
def test_random_and_mutated_bytes_give_nothing_that_no_frame_carried(name: str) -> None:
    figures = fuzz(name, SHORT, seed=2)
    assert figures.bytes >= SHORT
    assert figures.indications > 500
    assert figures.frames == figures.indications + figures.answers + figures.garbled


def codec_of(name: str) -> Codec:
    protocol, settings = VARIANTS[name]
    return codec_named(protocol, settings)


def calls(work: Any) -> int:
    """Count the Python and C functions that are called."""
    count = 0

    def seen(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("name", VARIANTS)
def test_a_byte_causes_a_bounded_number_of_calls(name: str) -> None:
    codec, chance = codec_of(name), random.Random(3)
    frames = samples(codec, VARIANTS[name][0], chance)
    hard = [
        b"\x02" * 400,
        b"=" * 400,
        b"\r" * 400,
        b"\r\n" * 200,
        b"ST," * 130,
        b" " * 400,
        b"0" * 400,
    ]
    for stream in (b"".join(frames), *hard, *(bytes([f[0]]) * 400 for f in frames[:3])):

        def read(stream: bytes = stream) -> None:
            framer = codec.framer()
            for at in range(len(stream)):
                for frame in framer.feed(stream[at : at + 1]):
                    assert len(frame) <= LONGEST
                    try:
                        codec.decode(frame)
                    except Garbled:
                        continue

        assert calls(read) <= 120 * len(stream)


def patterns() -> Iterator[tuple[str, "re.Pattern[Any]"]]:
    """Return every regular expression of the codecs: of their modules, and of what they build."""
    holders: list[tuple[str, object]] = []
    for module in iter_modules(drivers.codecs.__path__, "drivers.codecs."):
        loaded = sys.modules.get(module.name)
        if isinstance(loaded, ModuleType):
            holders += [(f"{module.name}.{k}", v) for k, v in vars(loaded).items()]
    for name in VARIANTS:
        codec = codec_of(name)
        for field in getattr(type(codec), "__dataclass_fields__", {}):
            value = getattr(codec, field)
            holders += [
                (f"{name}.{field}", value),
                (f"{name}.{field}", getattr(value, "regex", None)),
            ]
    for where, value in holders:
        if isinstance(value, re.Pattern):
            yield where, value


def repeated(items: Any, inside: bool = False) -> int:
    """Return how many repetitions of no fixed count a pattern has; fail on one within another."""
    found = 0
    for kind, argument in items:
        if kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT):
            least, most, body = argument
            varies = most > 1 and most != least
            assert not (varies and inside), "a repetition within a repetition"
            found += varies + repeated(body, inside or varies)
        elif kind is kinds.SUBPATTERN:
            found += repeated(argument[3], inside)
        elif kind is kinds.BRANCH:
            found += max(repeated(branch, inside) for branch in argument[1])
        elif kind in (kinds.ASSERT, kinds.ASSERT_NOT):
            found += repeated(argument[1], inside)
    return found


def test_no_pattern_can_take_more_than_polynomial_time_on_its_short_lines() -> None:
    seen = dict(patterns())
    assert len(seen) > 25
    for where, pattern in seen.items():
        count = repeated(parser.parse(pattern.pattern))
        assert count <= 8, where
