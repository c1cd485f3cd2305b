"""What the doctor says of a service by its own numbers."""

from pathlib import Path

import pytest

from acquisition.at_work import Service, service_findings
from acquisition.config import load_station
from acquisition.delivery_findings import order_findings
from acquisition.exposition import Family, from_text, to_text
from broker.outbox import Outbox
from tests.stations import order, scale_bench, write_station


def service(**numbers: float) -> Service:
    """Return a service that shows these numbers."""
    families = []
    for name, value in {"tera_outbox_writable": 1.0, **numbers}.items():
        family = Family(name, "gauge", "A number.")
        family.add(value)
        families.append(family)
    return Service(frozenset({"meja-1"}), "127.0.0.1:9464", from_text(to_text(families)))


@pytest.mark.parametrize(
    ("numbers", "state", "said"),
    [
        ({"tera_watchdog_stuck": 2}, "fault", "2 parts of it do not get on"),
        ({"tera_outbox_writable": 0}, "fault", "the outbox cannot be written"),
        (
            {"tera_clock_jumps_total": 1, "tera_clock_last_jump_seconds": -7200.0},
            "note",
            "the clock jumped 1 times since the service began, the last time by -7200.0 s",
        ),
        (
            {"tera_live_dropped_indications_total": 15},
            "ok",
            "15 indications found no room in live blocks: dashboards have gaps, verdicts do not",
        ),
        (
            {"tera_messages_refused_total": 3, "tera_messages_denied_total": 1},
            "note",
            "3 messages to the benches were refused, 1 of theirs the broker did not permit",
        ),
    ],
)
def test_what_does_not_go_well_is_said(
    numbers: dict[str, float], state: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERA_LANG", "en")
    well, found = service_findings(service(**numbers))
    assert well.state == "ok"
    assert (found.state, found.text[: len(said)]) == (state, said)


def test_a_service_that_gets_on_is_said_in_one_line() -> None:
    assert len(service_findings(service(tera_messages_refused_total=0))) == 1


async def test_orders_of_other_stations_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERA_LANG", "en")
    settings = load_station(write_station(tmp_path, scale_bench()))
    assert await order_findings(settings) == []
    settings.store.outbox.parent.mkdir()
    outbox = await Outbox.open(settings.store.outbox)
    try:
        for name, *instruments in (
            ("P-1", "timbangan-1"),
            ("P-2", "timbangan-1", "timbangan-8"),
            ("P-3", "timbangan-8", "timbangan-9"),
            ("P-4", "timbangan-9"),
        ):
            await outbox.put_order(order(name, *instruments))
    finally:
        await outbox.close()
    found = [(one.what, one.state, one.text) for one in await order_findings(settings)]
    assert found == [
        ("order P-1", "ok", "still to be verified: timbangan-1"),
        (
            "order P-2",
            "note",
            "still to be verified: timbangan-1, timbangan-8; no bench here has timbangan-8",
        ),
        (
            "orders of other stations",
            "ok",
            "2 name no instrument of this station, the last is P-4",
        ),
    ]
