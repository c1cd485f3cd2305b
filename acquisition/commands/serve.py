"""``tera run``: the service, until SIGTERM."""

import argparse
import asyncio
import logging
import signal
import sys

from acquisition.config import Station, load_station
from acquisition.faults import sentence
from acquisition.language import choose, t
from acquisition.session import Recorded, run
from acquisition.station import Running, running

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
    return asyncio.run(_serve(settings))


async def _serve(settings: Station) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with running(settings) as station:
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
            await stop.wait()
            orders.cancel()
        counts = await station.outbox.counts()
    print(
        t(
            "stopped; {waiting} records wait for their receipt and go out at the next start",
            waiting=counts.waiting,
        ),
        file=sys.stderr,
    )
    return 0


async def _work_off_orders(station: Running) -> None:
    """Verify what is ordered on simulated benches; real ones wait for a technician.

    A technician takes an order with ``tera verify ORDER``.
    """
    async for order in station.publisher.orders():
        for bench in station.settings.bench:
            for subject in bench.instrument:
                if subject.role != "under_test" or subject.name not in order.instruments:
                    continue
                try:
                    hand = station.simulated_hand(bench, subject)
                    job = station.job(bench, subject, hand, order=order.order)
                    async for event in run(job):
                        if isinstance(event, Recorded):
                            log.info(
                                "order %s: %s is %s",
                                order.order,
                                subject.name,
                                event.record["verdict"],
                            )
                except Exception as error:  # noqa: BLE001 - the next order must not suffer
                    log.warning("order %s: %s: %s", order.order, subject.name, sentence(error))
