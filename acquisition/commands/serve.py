"""``tera run``: the service, until SIGTERM.

At SIGTERM no run begins any more, one in progress ends visibly as abandoned, what waits is given a
bounded time to get its receipts, and every bench says that it is offline. A second signal hurries.
"""

import argparse
import asyncio
import time
from contextlib import AsyncExitStack, suppress

from acquisition.config import Station, load_station
from acquisition.exposition import to_text
from acquisition.faults import PROGRAM_FAULT, BadInput, exit_code
from acquisition.gauges import gather
from acquisition.journal import Journal, open_journal
from acquisition.language import choose, t
from acquisition.memory import give_back, keep_together, leave_out_of_collections
from acquisition.notify import notify
from acquisition.orders import work_off_orders
from acquisition.scrape import metrics_page
from acquisition.station import Running, running
from acquisition.stopping import stop_signal
from broker.connection import first
from broker.failure import BrokerError

log = Journal(__name__)

_DRAIN = 10.0
"""How long [s] what waits may take to get its receipts at the end."""
_QUIET = 2.0
"""So long [s] without a receipt, and nobody is there who gives one."""


def main(arguments: argparse.Namespace) -> int:
    """Run the command."""
    keep_together()
    settings = load_station(arguments.config)
    choose(settings.console.language)
    try:
        open_journal(settings.log)
    except OSError as error:
        raise BadInput(
            "cannot write {file}: {why}",
            place="log.file",
            file=settings.log.file,
            why=error.strerror,
        ) from None
    try:
        return asyncio.run(_serve(settings, take_over=arguments.take_over, go_on=arguments.go_on))
    except Exception as error:
        why = first(error)
        code = exit_code(why)
        if code == PROGRAM_FAULT or (settings.log.format == "text" and settings.log.file is None):
            raise  # it is said at the last door
        log.error("the station stops: {why}", event="failed", why=why)
        return code


async def _serve(settings: Station, *, take_over: bool, go_on: bool) -> int:
    hurry = asyncio.Event()
    stopped = stop_signal(hurry)
    async with (
        running(settings, whole=True, take_over=take_over, go_on=go_on) as station,
        AsyncExitStack() as more,
    ):
        if settings.metrics.listen is not None:

            async def page() -> str:
                return to_text(await gather(station))

            await more.enter_async_context(metrics_page(settings.metrics.listen, page))
        values = {"benches": len(settings.bench), "instruments": len(station.feeds)}
        told = "the station runs: {benches} benches, {instruments} instruments; SIGTERM stops it"
        log.info(
            "the station runs: {benches} benches, {instruments} instruments; SIGTERM stops it",
            event="started",
            **values,
        )
        leave_out_of_collections()
        notify("READY=1", f"STATUS={t(told, **values)}")
        orders = asyncio.create_task(work_off_orders(station), name="orders")
        memory = asyncio.create_task(give_back(), name="memory")
        try:
            code = await stopped
        finally:
            notify("STOPPING=1")
            orders.cancel()
            memory.cancel()
            await asyncio.gather(orders, memory, return_exceptions=True)
        left = await _drain(station, hurry)
    log.info(
        "stopped; {waiting} records wait for their receipt and go out at the next start",
        event="stopped",
        waiting=left,
    )
    return code


async def _drain(station: Running, hurry: asyncio.Event) -> int | str:
    """Wait for receipts as long as some come; return how many records still wait."""
    end = time.monotonic() + _DRAIN
    try:
        waiting = (await station.outbox.counts()).waiting
        while waiting and station.publisher.connected.is_set() and not hurry.is_set():
            pause = min(_QUIET, end - time.monotonic())
            if pause <= 0:
                break
            await _until_receipted(station, hurry, pause)
            now = (await station.outbox.counts()).waiting
            if now == waiting:
                break
            waiting = now
    except BrokerError as error:
        log.warning("the outbox cannot be read: {why}", event="outbox_failed", why=error)
        return "?"
    return waiting


async def _until_receipted(station: Running, hurry: asyncio.Event, seconds: float) -> None:
    tasks = {
        asyncio.create_task(station.outbox.wait_until_receipted()),
        asyncio.create_task(hurry.wait()),
    }
    await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    with suppress(BrokerError):
        await asyncio.gather(*tasks, return_exceptions=True)
