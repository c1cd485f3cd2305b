"""Scale protocols: frames to what they say and back, without any input or output.

One module per protocol; a new one is one line in ``CODECS``.
"""

from collections.abc import Mapping
from typing import Final

from drivers.codecs.codec import Answer, Codec, Decoded, Requests
from drivers.codecs.mt_sics import MtSics
from drivers.errors import BadDriverSettings

__all__ = ["CODECS", "Answer", "Codec", "Decoded", "Requests", "codec_named"]

CODECS: Final[Mapping[str, Codec]] = {codec.name: codec for codec in (MtSics(),)}
"""Every protocol by its name."""


def codec_named(name: str) -> Codec:
    """Return the codec of a protocol."""
    if name not in CODECS:
        raise BadDriverSettings(
            "There is no protocol {name}: choose from {known}.",
            name=name,
            known=", ".join(CODECS),
        )
    return CODECS[name]
