"""What speaks for a register map, and what against it."""

import struct

import pytest

from drivers.probe_maps import fit
from drivers.register_map import Telegram, load_map


@pytest.mark.parametrize(
    ("total", "weight"),
    [(0.0, 0.0), (9.7e-7, 0.0), (2e-12, 0.0), (0.5, 2.0), (9e8, 2.0), (2e9, None), (5e-13, None)],
)
def test_a_total_speaks_for_its_map_once_it_is_likely(total: float, weight: float | None) -> None:
    known = load_map("eastron-sdm72d")
    [energy] = [r for r in known.registers if r.quantity == "energy_import"]
    assert (energy.type, energy.scale) == ("float32", 1)

    def read(telegram: Telegram) -> tuple[int, ...]:
        words = [0] * telegram.count
        if energy in telegram.members:
            at = energy.address - telegram.address
            words[at : at + 2] = struct.unpack(">2H", struct.pack(">f", total))
        return tuple(words)

    found = fit(known, read)
    assert (found and found.weight) == weight
