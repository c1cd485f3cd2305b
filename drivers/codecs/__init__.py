"""Scale protocols: frames to what they say and back, without any input or output.

One module per family of protocols; a new name is one line in the ``KINDS`` of its family.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from drivers.codecs import (
    a_and_d,
    by_pattern,
    cardinal,
    cas,
    kern_w,
    ohaus,
    radwag,
    rinstrum,
    sbi,
    sics_kinds,
    sma,
    st_us,
    toledo,
    yaohua,
)
from drivers.codecs.codec import Answer, Codec, Decoded, Requests
from drivers.codecs.kind import Kind
from drivers.errors import BadDriverSettings

__all__ = ["CODECS", "Answer", "Codec", "Decoded", "Kind", "Requests", "codec_named", "kind_named"]

_FAMILIES: Final = (
    sics_kinds, sbi, a_and_d, st_us, ohaus, radwag, kern_w, toledo, yaohua, cas, sma, rinstrum,
    cardinal, by_pattern,
)  # fmt: skip
_NO_SETTINGS: Final[Mapping[str, str]] = MappingProxyType({})

CODECS: Final[Mapping[str, Kind]] = {kind.name: kind for f in _FAMILIES for kind in f.KINDS}
"""Every protocol by its name."""


def kind_named(name: str) -> Kind:
    """Return what is known of a protocol."""
    if name not in CODECS:
        raise BadDriverSettings(
            "There is no protocol {name}: choose from {known}.",
            name=name,
            known=", ".join(CODECS),
        )
    return CODECS[name]


def codec_named(name: str, settings: Mapping[str, str] = _NO_SETTINGS) -> Codec:
    """Build the codec of a protocol for an instrument with these settings."""
    return kind_named(name).codec(settings)
