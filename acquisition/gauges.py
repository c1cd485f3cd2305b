"""What the station measures of itself, gathered at the moment somebody asks; and what any service does.

Names follow Prometheus's conventions: ``tera_`` first, base units, ``_total`` for what only grows;
docs/operation.md explains each. Numbers of the process itself have the names that all programs use.
"""

import os
import resource
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from acquisition.clock import ClockState, clock_state
from acquisition.clock_watch import ClockWatch
from acquisition.config import Premises
from acquisition.exposition import Family
from acquisition.heartbeat import Beat
from acquisition.station import Running, software
from broker.failure import BrokerError
from drivers.indication import Condition


async def gather(station: Running) -> list[Family]:
    """Return every number of a station at work."""
    return [
        *await _outbox(station),
        *of_disk(station.settings.store.outbox),
        *_instruments(station),
        *_broker(station),
        *of_service(station.settings, station.clock, station.heart),
    ]


def of_service(settings: Premises, clock: ClockWatch, heart: Beat[Any]) -> list[Family]:
    """Return what every service tells of itself and its computer."""
    info = Family("tera_build_info", "gauge", "Version of the program; always 1.")
    info.add(1, version=software()["version"], office=settings.office.code)
    return [info, *_clock(clock), *_heart(heart), *_process()]


def of_disk(file: Path) -> list[Family]:
    """Return the room on the disk under a file."""
    free = Family("tera_disk_free_bytes", "gauge", "Room on the disk of what is committed.")
    size = Family("tera_disk_size_bytes", "gauge", "Size of the disk of what is committed.")
    try:
        disk = shutil.disk_usage(file.parent)
    except OSError:
        pass
    else:
        free.add(disk.free)
        size.add(disk.total)
    return [free, size]


async def _outbox(station: Running) -> list[Family]:
    waiting = Family("tera_outbox_waiting_records", "gauge", "Records without a receipt.")
    oldest = Family(
        "tera_outbox_oldest_waiting_seconds",
        "gauge",
        "Age of the oldest record without a receipt; 0 when none waits.",
    )
    records = Family("tera_outbox_records_total", "counter", "Records committed, by kind.")
    receipts = Family("tera_receipts_total", "counter", "Records whose receipt is in.")
    unfinished = Family("tera_runs_unfinished", "gauge", "Runs begun and not yet ended.")
    writable = Family("tera_outbox_writable", "gauge", "1 when the outbox can be written.")
    writable.add(int(station.heart.trouble is None))
    try:
        counts = await station.outbox.counts()
        since = await station.outbox.oldest_waiting()
    except BrokerError:  # the number that says so is above
        pass
    else:
        waiting.add(counts.waiting)
        oldest.add(age_of(since))
        for kind, count in (
            ("start", counts.starts),
            ("verdict", counts.verdicts),
            ("abandonment", counts.abandonments),
        ):
            records.add(count, kind=kind)
        receipts.add(counts.starts + counts.verdicts + counts.abandonments - counts.waiting)
        unfinished.add(counts.unfinished)
    return [waiting, oldest, records, receipts, unfinished, writable]


def age_of(since: str | None) -> float:
    """Return how long ago a record was committed [s]; 0 for none, and where a clock jumped."""
    if since is None:
        return 0.0
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds())


def _instruments(station: Running) -> list[Family]:
    shown = Family(
        "tera_instrument_indications_total", "counter", "Indications, by what they were."
    )
    fault = Family("tera_instrument_fault", "gauge", "1 while the instrument is at fault.")
    faults = Family("tera_instrument_faults_total", "counter", "Times it came to be at fault.")
    raised = Family(
        "tera_instrument_driver_failures_total", "counter", "Times its driver itself failed."
    )
    garbled = Family(
        "tera_instrument_garbled_frames_total", "counter", "Frames that made no sense."
    )
    age = Family(
        "tera_instrument_silent_seconds", "gauge", "Time since it last gave a value; absent before."
    )
    on_line = Family(
        "tera_line_garbled_frames_total", "counter", "Frames that made no sense, of a Modbus line."
    )
    now = time.monotonic()
    for name, tally in station.tallies.items():
        where = {"bench": tally.bench, "instrument": name}
        for condition in Condition:
            shown.add(tally.indications[condition.value], **where, condition=condition.value)
        fault.add(int(tally.fault is not None), **where)
        faults.add(tally.faults, **where)
        raised.add(tally.raised, **where)
        if tally.garbled is not None:
            garbled.add(tally.garbled, **where)
        if tally.shown is not None:
            age.add(round(now - tally.shown, 3), **where)
    for port, bus in station.lines.buses.items():
        on_line.add(bus.counters.garbled, port=port)
    return [shown, fault, faults, raised, garbled, on_line, age]


def _broker(station: Running) -> list[Family]:
    connected = Family("tera_broker_connected", "gauge", "1 while the bench is connected.")
    connections = Family(
        "tera_broker_connections_total", "counter", "Times the bench was connected."
    )
    dropped = Family(
        "tera_live_dropped_indications_total", "counter", "Indications no live block had room for."
    )
    for name, bench in station.publisher.benches.items():
        connected.add(int(bench.online), bench=name)
        connections.add(bench.connections, bench=name)
        dropped.add(bench.dropped, bench=name)
    refused = Family(
        "tera_messages_refused_total", "counter", "Receipts and orders that were not taken."
    )
    refused.add(station.publisher.refused)
    denied = Family(
        "tera_messages_denied_total", "counter", "Messages the broker did not let us publish."
    )
    denied.add(station.publisher.denied)
    return [connected, connections, dropped, refused, denied]


def _clock(clock: ClockWatch) -> list[Family]:
    state = Family(
        "tera_clock_state", "gauge", "1 for the state that the kernel tells of its clock."
    )
    now = clock_state()
    for each in ClockState:
        state.add(int(each is now), state=each.value)
    jumps = Family("tera_clock_jumps_total", "counter", "Times the clock was set in one step.")
    jumps.add(clock.count)
    last = Family("tera_clock_last_jump_seconds", "gauge", "By how much, negative: set back.")
    if clock.jumps:
        last.add(round(clock.jumps[-1].seconds, 3))
    return [state, jumps, last]


def _heart(heart: Beat[Any]) -> list[Family]:
    beats = Family("tera_watchdog_beats_total", "counter", "Times that all parts got on.")
    beats.add(heart.beats)
    stuck = Family("tera_watchdog_stuck", "gauge", "Parts that do not get on.")
    stuck.add(len(heart.stuck))
    return [beats, stuck]


def _process() -> list[Family]:
    began = Family("process_start_time_seconds", "gauge", "When the process began, Unix time.")
    memory = Family("process_resident_memory_bytes", "gauge", "Memory in use.")
    files = Family("process_open_fds", "gauge", "Open files.")
    most = Family("process_max_fds", "gauge", "Open files there may be.")
    cpu = Family("process_cpu_seconds_total", "counter", "Processor time used.")
    cpu.add(sum(os.times()[:2]))
    most.add(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    try:
        fields = Path("/proc/self/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        memory.add(int(fields[21]) * os.sysconf("SC_PAGE_SIZE"))
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
        began.add(round(time.time() - age, 2))
        files.add(len(os.listdir("/proc/self/fd")))  # noqa: PTH208 - only how many
    except (OSError, ValueError, IndexError):
        pass  # no /proc here
    return [began, memory, files, most, cpu]
