"""What an instrument hears: the requests of its protocol in bytes that arrive in any pieces.

Line ends around a request are not looked at, since half of the protocols send none.
"""

from dataclasses import dataclass
from typing import Final, Literal

from drivers.codecs.codec import Requests

_ENDS: Final = b"\r\n"


@dataclass(frozen=True, slots=True)
class Wish:
    """One request that was heard."""

    kind: Literal["poll", "stream", "zero", "tare", "identity"]
    request: bytes
    """As the protocol has it, without line ends."""


class RequestReader:
    """Finds requests; bytes that begin none are thrown away."""

    def __init__(self, requests: Requests) -> None:
        wishes = [Wish("identity", request.strip(_ENDS)) for request in requests.identity]
        named = (
            ("tare", requests.tare),
            ("zero", requests.zero),
            ("stream", requests.stream),
            ("poll", requests.poll),
        )
        wishes += [Wish(kind, request.strip(_ENDS)) for kind, request in named if request]  # type: ignore[arg-type]
        self._wishes = {wish.request: wish for wish in wishes}
        self._longest_first = sorted(self._wishes, key=len, reverse=True)
        self._rest = b""

    def feed(self, data: bytes) -> list[Wish]:
        """Take the next bytes; return the requests that are now whole."""
        found = []
        rest = self._rest + data
        while rest := rest.lstrip(_ENDS):
            if any(len(rest) < len(r) and r.startswith(rest) for r in self._longest_first):
                break
            request = next((r for r in self._longest_first if rest.startswith(r)), None)
            if request is not None:
                found.append(self._wishes[request])
            rest = rest[len(request or b"?") :]
        self._rest = rest
        return found
