"""Settings as they are typed after ``--set``: KEY=VALUE, and QUANTITY.unit=VALUE.

Knows which keys belong to one quantity of a meter. Refuses to know what they mean.
"""

from collections.abc import Iterable
from typing import Any

from acquisition.faults import BadInput

_OF_A_QUANTITY = {".unit": "units", ".range": "ranges", ".factor": "factors"}


def pair(text: str) -> tuple[str, str]:
    """Split one KEY=VALUE."""
    key, equals, value = text.partition("=")
    if not equals:
        raise BadInput("{pair} is not KEY=VALUE", place="--set", pair=text)
    return key, value


def typed_settings(pairs: Iterable[str]) -> dict[str, Any]:
    """Read settings, those of one quantity nested as they are in the configuration file."""
    given: dict[str, Any] = {}
    for key, value in map(pair, pairs):
        for ending, table in _OF_A_QUANTITY.items():
            if key.endswith(ending):
                given.setdefault(table, {})[key.removesuffix(ending)] = value
                break
        else:
            given[key] = value
    return given
