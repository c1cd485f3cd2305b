"""``tera broker``: certificates for offices without an authority, and the files of Mosquitto.

Who there is comes from ``config.toml``: its benches, its records system, its dashboards. Keys lie in
the folder of the authority, readable by their owner only, and are printed nowhere.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from acquisition.config import Premises, Station, load_records_system
from acquisition.faults import BadInput
from acquisition.language import choose, t
from acquisition.output import console, print_json, table
from acquisition.station import is_trial
from broker.access import OfficeAccess, access_file, listener_file, user
from broker.authority import (
    BROKER,
    Authority,
    Certificate,
    certificate_of,
    check_hosts,
    read_certificate,
)
from broker.failure import BadSecret
from broker.private_file import write_whole

_SOON = timedelta(days=30)
_ACL, _LISTENER = "tera.acl", "tera.conf"


def main(arguments: argparse.Namespace) -> int:
    """Run the command."""
    settings = load_records_system(arguments.config)
    choose(settings.console.language)
    folder = arguments.folder or arguments.config.resolve().parent / "data" / "authority"
    if hasattr(arguments, "days") and not 1 <= arguments.days <= 36_500:
        raise BadInput(
            "{number} is not between {least} and 36500",
            place="--days",
            number=arguments.days,
            least=1,
        )
    check_hosts(getattr(arguments, "hosts", ()))
    if not 0 < getattr(arguments, "port", 1) < 65536:
        raise BadInput("{port} is no port", place="--port", port=arguments.port)
    match arguments.action:
        case "make":
            _make(folder, settings, arguments)
        case "issue":
            _issue(Authority(folder), _offices(settings, arguments), settings, arguments)
        case "acl":
            Authority(folder)
            return _acl(folder, _offices(settings, arguments), arguments)
        case "revoke":
            Authority(folder).revoke(_full_name(arguments.which, settings))
    issued = Authority(folder).issued()
    if arguments.json:
        print_json(map(_listed, issued))
        return 0
    _show(issued, folder)
    _advise(arguments, folder)
    return 0


def _make(folder: Path, settings: Premises, arguments: argparse.Namespace) -> None:
    offices = _offices(settings, arguments)
    if (folder / "ca.key").exists():
        raise BadInput(
            "{file} has an authority already: `tera broker issue` makes certificates", file=folder
        )
    authority = Authority.make(folder, f"tante-sari {settings.office.code}")
    _issue(authority, offices, settings, arguments)
    _write_files(folder, offices, arguments)


def _offices(settings: Premises, arguments: argparse.Namespace) -> Sequence[OfficeAccess]:
    """Collect who there is, over every station that uses the broker."""
    given = [settings, *map(load_records_system, getattr(arguments, "more", ()))]
    offices: dict[str, OfficeAccess] = {}
    for station in given:
        code = station.office.code
        benches = {bench.name: is_trial(bench) for bench in _benches(station)}
        before = offices.get(code, OfficeAccess(code, {}))
        for name in benches.keys() & before.benches.keys():
            raise BadInput(
                "two stations of office {office} have a bench {bench}: call one of them otherwise",
                office=code,
                bench=name,
            )
        dashboards = dict.fromkeys((*before.dashboards, *station.broker.dashboards))
        offices[code] = OfficeAccess(code, {**before.benches, **benches}, tuple(dashboards))
    for office in offices.values():
        office.names()
    return tuple(offices.values())


def _benches(settings: Premises) -> Sequence[Any]:
    return settings.bench if isinstance(settings, Station) else ()


def _issue(
    authority: Authority,
    offices: Iterable[OfficeAccess],
    settings: Premises,
    arguments: argparse.Namespace,
) -> None:
    known = [BROKER, *(name for office in offices for name in office.names())]
    asked = [_full_name(name, settings) for name in getattr(arguments, "names", ())]
    for name in asked:
        if name not in known:
            raise BadInput(
                "{name} stands in no configuration; there are {known}",
                name=name,
                known=", ".join(known),
            )
    hosts = arguments.hosts or [settings.broker.host]
    for name in asked or _wanting(authority, known):
        authority.issue(name, days=arguments.days, hosts=hosts if name == BROKER else ())


def _wanting(authority: Authority, known: Iterable[str]) -> list[str]:
    """Return whose certificate is not there, or does not count for another while.

    The key beside it may have gone: it is no longer needed here once it was copied.
    """
    then = datetime.now(UTC) + _SOON
    well = {made.serial for made in authority.issued() if made.state(then) == "valid"}

    def is_well(name: str) -> bool:
        try:
            return read_certificate(certificate_of(authority.folder, name)[0]).serial in well
        except BadSecret:
            return False

    return [name for name in known if not is_well(name)]


def _full_name(name: str, settings: Premises) -> str:
    """Return a name with its office; the broker and serial numbers have none."""
    serial = len(name) == 40 and set(name) <= set("0123456789abcdef")
    return name if "@" in name or name == BROKER or serial else user(name, settings.office.code)


def _acl(folder: Path, offices: Sequence[OfficeAccess], arguments: argparse.Namespace) -> int:
    files = _write_files(folder, offices, arguments)
    if arguments.json:
        print_json({"file": str(file)} for file in files)
        return 0
    for file in files:
        print(file)
    _say_where(arguments.at)
    return 0


def _write_files(
    folder: Path, offices: Sequence[OfficeAccess], arguments: argparse.Namespace
) -> tuple[Path, Path]:
    acl, listener = folder / _ACL, folder / _LISTENER
    write_whole(acl, access_file(offices).encode())
    text = listener_file(arguments.at, arguments.port, address=arguments.listen)
    write_whole(listener, text.encode())
    return acl, listener


def _listed(made: Certificate) -> Mapping[str, Any]:
    return {
        "name": made.name,
        "serial": f"{made.serial:040x}",
        "from": made.begins.isoformat(),
        "until": made.ends.isoformat(),
        "hosts": list(made.hosts),
        "state": made.state(datetime.now(UTC)),
        "revoked": made.revoked and made.revoked.isoformat(),
    }


def _show(issued: Iterable[Certificate], folder: Path) -> None:
    drawn = table(
        t("Certificates in {file}", file=folder),
        [
            (t("name"), "left"),
            (t("until"), "left"),
            (t("status"), "left"),
            (t("serial number"), "left"),
        ],
    )
    now = datetime.now(UTC)
    for made in issued:
        name = f"{made.name} ({', '.join(made.hosts)})" if made.hosts else made.name
        state = t(made.state(now))
        drawn.add_row(name, made.ends.date().isoformat(), state, f"{made.serial:040x}")
    console().print(drawn)


def _advise(arguments: argparse.Namespace, folder: Path) -> None:
    """Say what is to be done now, on standard error."""
    match arguments.action:
        case "make":
            _say_where(arguments.at)
        case "issue":
            text = t(
                "Copy NAME.crt and NAME.key from {file} to where they are used; programs take them at"
                " their next connection. What was there before counts until it ends.",
                file=folder,
            )
            print(text, file=sys.stderr)
        case "revoke":
            text = t(
                "Copy crl.pem from {file} to the broker and restart it now: until then it lets them in.",
                file=folder,
            )
            print(text, file=sys.stderr)


def _say_where(place: str) -> None:
    text = t(
        "At the broker: ca.crt, crl.pem, broker.crt, broker.key and tera.acl go to {file}, tera.conf to"
        " /etc/mosquitto/conf.d; all of them must be readable by the user mosquitto, and broker.key by"
        " nobody else. Then restart Mosquitto. ca.key stays here.",
        file=place,
    )
    print(text, file=sys.stderr)
