"""``tera run``: the service, until SIGTERM."""

import argparse
import asyncio
import logging
import sys
from contextlib import aclosing

from acquisition.config import Station, load_station
from acquisition.faults import sentence
from acquisition.language import choose, t
from acquisition.session import Recorded, run
from acquisition.station import Running, running, unknown_instruments
from acquisition.stopping import stop_signal

log = logging.getLogger(__name__)


def main(arguments: argparse.Namespace) -> int:
    """Run the command."""
    settings = load_station(arguments.config)
    choose(settings.console.language)
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    logging.getLogger("pint").setLevel(logging.ERROR)  # our litre is no news
    return asyncio.run(_serve(settings))


async def _serve(settings: Station) -> int:
    stopped = stop_signal()
    async with running(settings, whole=True) as station:
        print(
            t(
                "the station runs: {benches} benches, {instruments} instruments; SIGTERM stops it",
                benches=len(settings.bench),
                instruments=len(station.feeds),
            ),
            file=sys.stderr,
            flush=True,
        )
        async with asyncio.TaskGroup() as group:
            orders = group.create_task(_work_off_orders(station), name="orders")
            code = await stopped
            orders.cancel()
        counts = await station.outbox.counts()
    print(
        t(
            "stopped; {waiting} records wait for their receipt and go out at the next start",
            waiting=counts.waiting,
        ),
        file=sys.stderr,
    )
    return code


async def _work_off_orders(station: Running) -> None:
    """Verify what is ordered on simulated benches; real ones wait for a technician.

    A technician takes an order with ``tera verify ORDER``.
    """
    async for order in station.publisher.orders():
        if strange := unknown_instruments(station.settings, order):
            log.warning(
                "order %s names %s, which this station does not have: it waits for another station"
                " or for a correction",
                order.order,
                ", ".join(strange),
            )
        for bench in station.settings.bench:
            for subject in bench.instrument:
                if subject.role != "under_test" or subject.name not in order.remaining:
                    continue
                try:
                    hand = station.simulated_hand(bench, subject)
                    job = station.job(bench, subject, hand, order=order.order)
                    async with aclosing(run(job)) as events:
                        async for event in events:
                            if isinstance(event, Recorded):
                                verdict = event.record["verdict"]
                                log.info("order %s: %s is %s", order.order, subject.name, verdict)
                except Exception as error:  # noqa: BLE001 - the next order must not suffer
                    log.warning("order %s: %s: %s", order.order, subject.name, sentence(error))
