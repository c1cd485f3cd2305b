"""How an unknown scale is found: a conversation without a line and without a clock.

``search_scale`` yields what is to be done (`drivers.probe_plan`) and is sent what came of it. First
it listens: to an instrument that streams nothing is sent. Then a volley of requests of all protocols
goes out until something answers, and each request is asked once more alone, so that it is known
which one is answered. Refuses to choose between dialects that fit equally.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from drivers.codecs.codec import Decoded
from drivers.errors import Garbled
from drivers.indication import Condition
from drivers.probe_heard import Certainty, Dialect, Reading, readings, whole
from drivers.probe_pattern import printable, propose
from drivers.probe_plan import SPEEDS, Action, Hear, Patience, ScaleTry, Tune, spoken, volley
from drivers.probe_wire import PLAIN, heard_as, set_for

_OTHER_FRAMINGS: Final = ("8E1", "8O1")
"""Framings of eleven bits, which a port must be set to."""
_ASKED_AGAIN: Final = 3
"""So many of the last requests may have brought what no protocol reads."""
_LINE: Final = 24
"""Characters of an answer; one that is longer has begun by then."""
_SKIPPED: Final = 0.1
"""A reading that takes so much less of the bytes than another [share] skips some of its frames."""
_STOPPED: Final = 2
"""After silence at so many speeds it is asked whether the line carries a stream at all."""

Steps = Generator[Action, bytes, "tuple[Fit, ...]"]


@dataclass(frozen=True, slots=True)
class Fit:
    """A dialect that fits what came from the line."""

    dialect: Dialect
    baudrate: int
    framing: str
    mode: Literal["poll", "listen"]
    certainty: Certainty
    shown: tuple[Decoded, ...]
    """The indications that were read, in order."""
    sample: bytes
    """One frame as it came."""
    others: tuple[Decoded, ...] = ()
    """Second answers to one request that show another stable weight."""

    def alike(self, other: "Fit") -> bool:
        """Say whether both dialects read the same in the frame of each."""
        return all(_said(self, f) == _said(other, f) for f in (self.sample, other.sample))


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes that make no frame of any protocol."""

    baudrate: int
    framing: str
    data: bytes
    asked: bool
    """Whether they followed a request."""


class ScaleSearch:
    """What was heard so far, and the ways to hear more."""

    def __init__(self, patience: Patience, *, speeds: bool) -> None:
        self.best: tuple[Fit, ...] = ()
        """The surest of what fits; several where nothing tells them apart."""
        self.noise: list[Noise] = []
        self.echo = False
        """Whether the line gives back what is sent."""
        self.streams = False
        """Whether the instrument sends without being asked."""
        self._listened = {SPEEDS[0]}
        self._patience, self._speeds = patience, SPEEDS if speeds else SPEEDS[:1]

    def listen(self) -> Steps:
        """Hear whether the instrument streams; find its speed and dialect if it does."""
        baudrate = self._speeds[0]
        yield Tune(baudrate, PLAIN)
        data = yield Hear(self._patience.first, _certain)
        if not data:
            return ()
        return (yield from self._stream(baudrate, data))

    def ask(self, one: ScaleTry) -> Steps:
        """Ask in every protocol at one speed and framing."""
        yield Tune(one.baudrate, set_for(one.framing))
        if one.baudrate not in self._listened:
            self._listened.add(one.baudrate)
            if data := (yield Hear(self._patience.listen)):
                return (yield from self._stream(one.baudrate, data))
        heard, sent = b"", []
        for request in volley():
            sent.append(request)
            send = spoken(request, one.framing, self._patience.apart)
            yield send
            heard = yield Hear(self._patience.gap + _duration(len(request), one.baudrate))
            if heard := self._but_echo(heard, send.data):
                break
        patience = self._patience.answer + _duration(_LINE, one.baudrate) * bool(heard)
        heard += yield Hear(patience, whole, self._patience.settle)
        if not heard:
            return ()
        return (yield from self._one_by_one(one, heard, sent))

    def _stream(self, first: int, heard: bytes) -> Steps:
        """Listen at every speed; what is certain ends the search, and a silent line too."""
        self.streams = True
        silent = 0
        for framing in (PLAIN, *(_OTHER_FRAMINGS if len(self._speeds) > 1 else ())):
            for baudrate in (first, *(s for s in self._speeds if s != first)):
                if (baudrate, framing) != (first, PLAIN):
                    yield Tune(baudrate, framing)
                    heard = b""
                if not _certain(heard):
                    heard += yield Hear(self._patience.stream, _certain)
                silent = 0 if heard else silent + 1
                if silent == _STOPPED and (yield from self._stopped(first)):
                    self.streams = False
                    return self.best
                self._keep(_fits(heard, baudrate, framing, "listen"))
                if not self.best and heard:
                    self.noise.append(Noise(baudrate, framing, heard, asked=False))
                    if any(propose(data) for _, data in heard_as(heard)):
                        # lines with a number in them: this is the speed, if not the framing
                        return (yield from self._framed(baudrate))
                if self.best and self.best[0].certainty > Certainty.GUESS:
                    return self.best
        return self.best

    def _framed(self, baudrate: int) -> Steps:
        """Listen at one speed in the framings of eleven bits."""
        for framing in _OTHER_FRAMINGS if len(self._speeds) > 1 else ():
            yield Tune(baudrate, framing)
            self._keep(
                _fits((yield Hear(self._patience.stream, _certain)), baudrate, framing, "listen")
            )
        return self.best

    def _stopped(self, baudrate: int) -> Generator[Action, bytes, bool]:
        """Listen once more where something was heard: a disturbance does not come again."""
        yield Tune(baudrate, PLAIN)
        return not (yield Hear(self._patience.stream))

    def _keep(self, found: tuple[Fit, ...]) -> None:
        if found and (not self.best or found[0].certainty > self.best[0].certainty):
            self.best = found

    def _one_by_one(self, one: ScaleTry, heard: bytes, sent: Sequence[bytes]) -> Steps:
        """Ask again, one request after the other: which of them is answered?"""
        likely = [p for r in readings(heard) if (p := r.dialect.codec.requests.poll)]
        found: list[Fit] = []
        answered = False
        # a line that nobody reads may say that the instrument knows no such request
        line = not likely and printable(heard) == 1 and heard.endswith(b"\r\n")
        others = volley() if line else sent[: -_ASKED_AGAIN - 1 : -1]
        for request in dict.fromkeys([*likely, *others]):
            if found and request not in likely:
                break
            answer, again = yield from self._twice(request, one)
            answered = answered or bool(answer)
            by_it = _fits(answer + again, one.baudrate, _actual(one), "poll", request)
            found += (replace(fit, others=_others(fit, answer, again)) for fit in by_it)
            self.best = _best(found)
        if not found and not answered:
            # what was heard was no answer: the instrument sends, if seldom
            return (yield from self._stream(one.baudrate, heard))
        if not found:
            self.noise.append(Noise(one.baudrate, one.framing, heard, asked=True))
        return self.best

    def _but_echo(self, heard: bytes, sent: bytes) -> bytes:
        """Leave out what came back of our own, as from an RS-485 adapter that hears itself."""
        self.echo = self.echo or heard.startswith(sent)
        return heard.removeprefix(sent)

    def _twice(
        self, request: bytes, one: ScaleTry
    ) -> Generator[Action, bytes, tuple[bytes, bytes]]:
        patience = self._patience.answer + _duration(len(request) + _LINE, one.baudrate)
        heard = []
        for _ in range(2):
            yield Hear(self._patience.settle)  # what is late is none of this
            send = spoken(request, one.framing, self._patience.apart)
            yield send
            answer = yield Hear(patience, whole, self._patience.settle)
            heard.append(self._but_echo(answer, send.data))
            if not heard[0]:
                return b"", b""
        return heard[0], heard[1]


def _duration(characters: int, baudrate: int) -> float:
    """Return how long so many characters are on the wire [s]."""
    return 10 * characters / baudrate


def _actual(one: ScaleTry) -> str:
    """Return the framing that readings are relative to."""
    return one.framing if set_for(one.framing) != PLAIN else PLAIN


def _certain(data: bytes) -> bool:
    """Say whether one dialect is sure, and more bytes would say the same."""
    best = readings(data)[:1]
    return any(len(r.shown) > 1 and r.certainty > Certainty.GUESS and r.share > 0.8 for r in best)


def _fits(
    data: bytes,
    baudrate: int,
    framing: str,
    mode: Literal["poll", "listen"],
    request: bytes | None = None,
) -> tuple[Fit, ...]:
    """Return the dialects that read what was heard; asked, only those whose request it was."""
    found = [
        Fit(
            r.dialect,
            baudrate,
            framing if framing != PLAIN else r.framing,
            mode,
            r.certainty,
            r.shown,
            next(raw for raw, said in r.frames if isinstance(said, Decoded)),
        )
        for r in _widest(readings(data))
        if request is None or r.dialect.codec.requests.poll == request
    ]
    return _best(found)


def _widest(found: Sequence[Reading]) -> list[Reading]:
    """Leave out readings that skip frames which another reads as well."""
    shown = [r for r in found if r.shown]
    widest = max((r.share for r in shown if r.valued), default=0.0)
    return [r for r in shown if r.share > widest - _SKIPPED]


def _best(found: Sequence[Fit]) -> tuple[Fit, ...]:
    """Return the surest of them, of one protocol read alike only the one with the fewest settings.

    A protocol that is usually read in another way comes after one that is read in this.
    """
    if not found:
        return ()
    top = max((any(s.value is not None for s in fit.shown), fit.certainty) for fit in found)
    kept: list[Fit] = []
    for fit in sorted(found, key=lambda f: (f.dialect.mode != f.mode, len(f.dialect.settings))):
        sure = any(s.value is not None for s in fit.shown), fit.certainty
        if sure == top and not any(_same(fit, other) for other in kept):
            kept.append(fit)
    return tuple(kept)


def _same(one: Fit, other: Fit) -> bool:
    return one.dialect.name == other.dialect.name and one.alike(other)


def _said(fit: Fit, frame: bytes) -> object:
    try:
        return fit.dialect.codec.decode(frame)
    except Garbled:
        return None


def _others(fit: Fit, *answers: bytes) -> tuple[Decoded, ...]:
    """Return second answers to one request that show another stable weight."""
    found: list[Decoded] = []
    for answer in answers:
        for reading in readings(answer):
            if reading.dialect is fit.dialect:
                still = [s for s in reading.shown if s.condition is Condition.STABLE]
                found += [s for s in still[1:] if s.value != still[0].value]
    return tuple(found)
