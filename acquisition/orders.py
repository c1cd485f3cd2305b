"""Works off orders on simulated benches, one after the other, and says what became of each.

The benches that an order needs work side by side, each on one instrument at a time.

Real benches wait for a technician, who takes an order with ``tera verify ORDER``.
"""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from acquisition.config import Bench, Instrument
from acquisition.journal import Journal
from acquisition.session import Recorded, Started, run
from acquisition.station import Running, unknown_instruments
from broker.failure import BrokerError
from broker.outbox import Order

log = Journal(__name__)

_AGAIN = 1.0
"""Pause [s] before orders are looked at again when the outbox could not be read."""


async def work_off_orders(station: Running) -> None:
    """Verify what is ordered, for ever."""
    while True:
        try:
            async for order in station.publisher.orders():
                await _work_off(station, order)
        except BrokerError as error:
            log.warning("orders cannot be read: {why}", event="orders_failed", why=error)
        await asyncio.sleep(_AGAIN)


async def _work_off(station: Running, order: Order) -> None:
    strange = unknown_instruments(station.settings, order)
    if strange and len(strange) == len(order.remaining):
        log.info(
            "order {order} names no instrument of this station",
            event="order_elsewhere",
            order=order.order,
        )
    elif strange:
        log.warning(
            "order {order} names {known}, which this station does not have: it waits for another"
            " station or for a correction",
            event="order_unknown",
            order=order.order,
            known=", ".join(strange),
        )
    await asyncio.gather(*(_work_at(station, bench, order) for bench in station.settings.bench))


async def _work_at(station: Running, bench: Bench, order: Order) -> None:
    for subject in bench.instrument:
        if subject.role != "under_test" or subject.name not in order.remaining:
            continue
        names: dict[str, Any] = {"order": order.order, "bench": bench.name}
        names["instrument"] = subject.name
        try:
            await _verify(station, bench, subject, names)
        except Exception as error:  # noqa: BLE001 - the next order must not suffer
            log.warning(
                "order {order}: {instrument}: {why}", event="run_failed", **names, why=error
            )


async def _verify(
    station: Running, bench: Bench, subject: Instrument, names: Mapping[str, Any]
) -> None:
    hand = station.simulated_hand(bench, subject)
    job = station.job(bench, subject, hand, order=names["order"])
    await station.publisher.compare_numbers(names["bench"])
    async with aclosing(run(job)) as events:
        async for event in events:
            match event:
                case Started(verification, number, _):
                    log.info(
                        "order {order}: {instrument} is verified as number {number} of bench {bench}",
                        event="run_started",
                        **names,
                        verification=verification,
                        number=number,
                    )
                case Recorded(record):
                    log.info(
                        "order {order}: {instrument} is {what}",
                        event="verdict_committed",
                        **names,
                        verification=record["id"],
                        number=record["number"],
                        what=record["verdict"],
                    )
                case _:
                    pass
