"""A real office behind TLS: its authority, its broker with the generated files, station and records."""

import dataclasses
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from broker.address import BrokerAddress, Tls
from broker.authority import Authority, certificate_of
from broker.connection import Client, Connector, Refusal
from broker.keyring import as_toml, make_key, today
from broker.record import encode
from tests.mosquitto import Mosquitto
from tests.records import until
from tests.stations import ENVIRONMENT, HEAD, order, scale_bench, tera

OFFICE = "3516"
BENCH, NEIGHBOUR, DASHBOARD = "meja-1", "meja-9", "layar"
"""What the station serves; the bench of another one, which is real; and who only looks on."""
_REAL = {"port": "socket://192.0.2.1:4001"}


def user(name: str) -> str:
    return name if "@" in name else f"{name}@{OFFICE}"


class GuardedMosquitto(Mosquitto):
    """A broker that runs on the listener file and the access file of ``tera broker``."""

    def __init__(self, folder: Path, generated: Path) -> None:
        super().__init__(folder)
        self._generated = generated

    def address(self, protocol: Any = "auto") -> BrokerAddress:
        return BrokerAddress("127.0.0.1", self.port, protocol=protocol)

    def take_files(self) -> None:
        """Read the generated files; beside them stands only what every Mosquitto needs to be told."""
        own = f"user root\npersistence_location {self.log.parent}/\nlog_dest stderr\n"
        self._settings.write_text(own + (self._generated / "tera.conf").read_text("utf-8"), "utf-8")


class Program:
    """``tera run`` or ``tera records serve`` as a process that outlives a test."""

    def __init__(self, log: Path, *arguments: str | Path) -> None:
        self.log = log
        with log.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "acquisition", *map(str, arguments)],
                stderr=said,
                stdin=subprocess.DEVNULL,
                env=os.environ | ENVIRONMENT,
            )

    def end(self) -> None:
        self.process.kill()
        self.process.wait(10)


class Office:
    """Everything of one office, on files of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = folder / "authority"
        self.broker = GuardedMosquitto(folder, self.authority)
        self._orders = 0
        self._tls: dict[str, Tls] = {}
        self.station: Program
        self.records: Program

    def make(self) -> None:
        """Write the configurations and have `tera broker` write certificates and files."""
        head = HEAD.format(broker=self.broker.port)
        secured = f'[broker.tls]\nfolder = "{self.authority}"\n'
        for name in ("records", "station", "other", "far"):
            (self.folder / name).mkdir()
        known = make_key(self.folder / "records" / "keys", today(), today() + timedelta(days=9))
        own = '[store]\nrecords = "records.sqlite"\n[records]\nkeys = "keys"\n'
        looking = head.replace("[broker]", f'[broker]\ndashboards = ["{DASHBOARD}"]')
        trusted = as_toml(known, "[[records.trusted]]")
        self._write("records", looking.partition("[[standards]]")[0] + secured + own)
        self._write("station", head + secured + trusted + scale_bench(1))
        self._write("other", head + secured + scale_bench(9, **_REAL))
        self._write("far", head.replace(OFFICE, "9999") + secured + scale_bench(1))
        others = [("--with", self.config(name)) for name in ("station", "other", "far")]
        made = tera(
            *("broker", "make", "--config", self.config("records"), "--folder", self.authority),
            *("--host", "127.0.0.1", "--listen", "127.0.0.1", "--port", str(self.broker.port)),
            *("--at", self.authority, *(word for pair in others for word in pair)),
        )
        assert made.returncode == 0, made.stderr.decode()
        self._make_bad_ones()
        self.broker.take_files()

    def _make_bad_ones(self) -> None:
        """Make certificates with which nobody may come in; each by the name of what is wrong."""
        authority, now = Authority(self.authority), datetime.now(UTC)
        name = user(BENCH)
        issue = {
            "expired": lambda: authority.issue(name, begins=now - timedelta(days=9), days=1),
            "not yet valid": lambda: authority.issue(name, begins=now + timedelta(days=9)),
            "revoked": lambda: authority.issue(name),
        }
        aside = self.folder / "aside"
        aside.mkdir()
        good = [*certificate_of(self.authority, name)]
        for file in good:
            shutil.copy(file, aside)
        for what, make in issue.items():
            made = make()
            self._tls[what] = self._files(self.authority, name, self.folder / what)
            if what == "revoked":
                authority.revoke(f"{made.serial:040x}")
        for file in good:
            shutil.copy(aside / file.name, file)
        authority.issue("penyusup@3516")
        stranger = Authority.make(self.folder / "stranger", "tante-sari 3516")
        stranger.issue(name)
        stranger.issue("broker", hosts=["127.0.0.1"])
        self._tls["of another authority"] = self._files(
            stranger.folder, name, self.folder / "of another authority"
        )
        alone = Authority.make(self.folder / "alone", name).folder
        self._tls["self-signed"] = self._with(alone / "ca.crt", alone / "ca.key")
        self._tls["of the broker"] = self._with(*certificate_of(self.authority, "broker"))
        authority.issue("broker", hosts=["broker.example"])
        self.wrong_host = self._files(self.authority, "broker", self.folder / "wrong host")
        authority.issue("broker", hosts=["127.0.0.1"])

    def _files(self, source: Path, name: str, target: Path) -> Tls:
        target.mkdir()
        copied = [Path(shutil.copy(file, target)) for file in certificate_of(source, name)]
        return self._with(*copied)

    def _with(self, certificate: Path, key: Path) -> Tls:
        return Tls(self.authority / "ca.crt", "", certificate, key)

    def _write(self, name: str, text: str) -> None:
        self.config(name).write_text(text, "utf-8")

    def config(self, name: str) -> Path:
        return self.folder / name / "config.toml"

    async def start(self) -> None:
        """Start broker, records system and station; the first verdict has come when this ends."""
        await self.broker.start()
        log = self.folder / "records.log"
        self.records = Program(log, "records", "serve", "--config", self.config("records"))
        log = self.folder / "station.log"
        self.station = Program(log, "run", "--config", self.config("station"))
        await self.said(self.records.log, "runs on", within=60)
        await self.said(self.station.log, "connected, MQTT 5", within=60)
        await self.next_verdict()

    def end(self) -> None:
        """End everything that runs."""
        for program in ("records", "station"):
            if hasattr(self, program):
                getattr(self, program).end()
        self.broker.stop()

    def tls(self, name: str) -> Tls:
        """Return what somebody shows: by the name of his, or by what is wrong with it."""
        if name in self._tls:
            return self._tls[name]
        if name == "nothing":
            return Tls(self.authority / "ca.crt")
        return self._with(*certificate_of(self.authority, user(name)))

    @asynccontextmanager
    async def connected(
        self,
        name: str,
        client_id: str = "",
        *,
        refused: Refusal | None = None,
        **more: Any,
    ) -> AsyncIterator[Client]:
        """Connect with somebody's certificate."""
        address = dataclasses.replace(self.broker.address(), tls=self.tls(name))
        async with Connector(address).connect(
            client_id or f"penyerang-{name}", refused=refused, **more
        ) as client:
            yield client

    async def said(self, log: Path, *texts: str, after: int = 0, within: float = 30) -> str:
        """Wait until a log has a line with all these texts in it, and return that."""
        found: list[str] = []

        def look() -> bool:
            with log.open("rb") as file:
                file.seek(after)
                lines = file.read().decode("utf-8", "replace").splitlines()
            found[:] = [line for line in lines if all(text in line for text in texts)]
            return bool(found)

        try:
            await until(look, within)
        except TimeoutError:
            tail = log.read_bytes()[after:].decode("utf-8", "replace")[-3000:]
            raise AssertionError(f"{log.name} never said {texts}:\n{tail}") from None
        return found[0]

    def marks(self) -> dict[Path, int]:
        """Return how long each log is now."""
        logs = (self.broker.log, self.station.log, self.records.log)
        return {log: log.stat().st_size for log in logs}

    async def order(self) -> None:
        """Order the instrument of the bench to be verified once more."""
        self._orders += 1
        given = order(f"P-{self._orders}", "timbangan-1")
        async with self.connected("records", "kantor") as client:
            await client.publish(f"tera/v1/{OFFICE}/orders/P-{self._orders}", encode(given), qos=1)

    async def next_verdict(self) -> None:
        """Have one more verification done, delivered, and acknowledged."""
        before = self.stored()
        await self.order()
        await self.delivered(before + 1)

    async def delivered(self, count: int) -> None:
        """Wait until so many verdicts are stored, and the station has every receipt."""
        await until(lambda: self.stored() >= count and self.waiting() == 0, 60)

    def stored(self) -> int:
        """Count the verdicts of the bench in the store."""
        file = self.folder / "records" / "records.sqlite"
        asked = "SELECT count(*) FROM stored WHERE kind = 'verdict' AND bench = ?"
        return int(self._ask(file, asked, BENCH)[0][0])

    def waiting(self) -> int:
        """Count the rows that the station still has to deliver."""
        return len(self.rows())

    def rows(self) -> list[tuple[Any, ...]]:
        """Return kind, identity, digest and bytes of what waits in the station's outbox."""
        file = self.folder / "station" / "data" / "outbox.sqlite"
        asked = (
            "SELECT kind, id, digest, body FROM record JOIN delivery USING (seq)"
            " JOIN content USING (seq) WHERE receipt IS NULL"
        )
        return self._ask(file, asked)

    @staticmethod
    def _ask(file: Path, sql: str, *values: str) -> list[tuple[Any, ...]]:
        if not file.exists():
            return [(0,)]
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
            return db.execute(sql, values).fetchall()
