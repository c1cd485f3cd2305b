"""A real PostgreSQL on a free loopback port and a socket: started, killed and restarted by tests."""

import getpass
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import Any

from tests.mosquitto import free_port


def _programs() -> Path | None:
    """Return the folder of the newest server that is installed; Debian keeps it out of PATH."""
    found = [Path(f).parent for f in [shutil.which("postgres")] if f]
    found += sorted(
        (p for p in Path("/usr/lib/postgresql").glob("*/bin") if (p / "postgres").exists()),
        key=lambda p: int(p.parent.name) if p.parent.name.isdigit() else 0,
    )
    complete = [p.resolve() for p in found if (p / "initdb").exists()]
    return complete[-1] if complete else None


PROGRAMS = _programs()
MISSING = "PostgreSQL is not installed (Debian: postgresql)"
PASSWORD = "not so secret"  # noqa: S105 - of a server that lives as long as a test


class Postgres:
    """One server; it keeps port and data from one life to the next."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tera-pg-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._as: dict[str, Any] = {}
        user = getpass.getuser()
        if os.geteuid() == 0:  # the server refuses to run as root
            user = next(
                n for n in ("postgres", "nobody") if n in {p.pw_name for p in pwd.getpwall()}
            )
            account = pwd.getpwnam(user)
            os.chown(self.folder, account.pw_uid, account.pw_gid)
            self._as = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        self.data = self.folder / "data"
        self._run("initdb", "-D", self.data, "-U", "tera", "-A", "trust", "-E", "UTF8", "--no-sync")
        (self.data / "pg_hba.conf").write_text(
            "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n", encoding="utf-8"
        )

    def start(self) -> None:
        """Start it and wait until it accepts a connection."""
        assert PROGRAMS is not None
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.folder,
            "lc_messages": "C",
        }
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [PROGRAMS / "postgres", "-D", self.data, *options],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                **self._as,
            )
        self._run("pg_ctl", "status", "-D", self.data, check=False)
        for _ in range(600):
            assert self._process.poll() is None, (self.folder / "log").read_text(encoding="utf-8")
            if self._run("pg_isready", "-h", self.folder, "-p", str(self.port), check=False) == 0:
                return
        raise AssertionError("PostgreSQL did not start")

    def database(self) -> str:
        """Make an empty database and return its URL, over the socket."""
        name = f"t{uuid.uuid4().hex[:12]}"
        self.say(f"CREATE DATABASE {name}")
        return f"postgresql://tera@/{name}?host={self.folder}&port={self.port}"

    def by_password(self, url: str) -> str:
        """Return the URL of the same database over TCP, which wants the password."""
        self.say(f"ALTER USER tera PASSWORD '{PASSWORD}'")
        name = url.partition("@/")[2].partition("?")[0]
        return f"postgresql://tera@127.0.0.1:{self.port}/{name}"

    def say(self, sql: str) -> None:
        """Run one statement as the owner."""
        place = ("-h", self.folder, "-p", str(self.port), "-U", "tera", "-d", "postgres")
        assert self._run("psql", "-qX", *place, "-c", sql) == 0

    def kill(self) -> None:
        """End it as a power cut does: the postmaster and whoever works for it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)  # immediate: no checkpoint, as after a crash
            self._process.wait(20)
            self._process = None

    def remove(self) -> None:
        """End it and take its files away."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str | Path, check: bool = True) -> int:
        assert PROGRAMS is not None
        beside = PROGRAMS / program
        done = subprocess.run(
            [beside if beside.exists() else program, *arguments],
            capture_output=True,
            check=False,
            cwd=self.folder,
            timeout=60,
            **self._as,
        )
        assert not check or done.returncode == 0, done.stderr.decode()
        return done.returncode
