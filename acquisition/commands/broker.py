"""``tera broker``: certificates for offices without an authority, and the files of Mosquitto.

Who there is comes from ``config.toml``: its benches, its records system, its dashboards. Keys lie in
the folder of the authority, readable by their owner only, and are printed nowhere.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from acquisition.config import Premises, Station, load_records_system
from acquisition.faults import BadInput
from acquisition.language import choose, t
from acquisition.output import console, print_json, table
from acquisition.station import is_trial
from broker.access import (
    Listener,
    OfficeAccess,
    access_file,
    listener_file,
    listener_in,
    user,
)
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
    port = getattr(arguments, "port", None)
    if port is not None and not 0 < port < 65536:
        raise BadInput("{port} is no port", place="--port", port=port)
    fresh: Sequence[str] = ()
    match arguments.action:
        case "make":
            fresh = _make(folder, settings, arguments)
        case "issue":
            fresh = _issue(Authority(folder), _offices(settings, arguments), settings, arguments)
        case "acl":
            return _acl(Authority(folder), _offices(settings, arguments), arguments)
        case "revoke":
            Authority(folder).revoke(_full_name(arguments.which, settings))
    issued = Authority(folder).issued()
    if arguments.json:
        print_json(map(_listed, issued))
        return 0
    _show(issued, folder)
    _advise(arguments.action, fresh, folder)
    return 0


def _make(folder: Path, settings: Premises, arguments: argparse.Namespace) -> Sequence[str]:
    offices = _offices(settings, arguments)
    if (folder / "ca.key").exists():
        raise BadInput(
            "{file} has an authority already: `tera broker issue` makes certificates", file=folder
        )
    authority = Authority.make(folder, f"tante-sari {settings.office.code}")
    fresh = _issue(authority, offices, settings, arguments)
    _write_files(folder, offices, arguments)
    return fresh


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
) -> Sequence[str]:
    """Give a certificate to who is named, or else to whoever lacks one; return who got one.

    Who had one before is known without the configuration of his station.
    """
    issued = authority.issued()
    named = [BROKER, *(name for office in offices for name in office.names())]
    known = dict.fromkeys([*named, *(made.name for made in issued)])
    asked = [_full_name(name, settings) for name in getattr(arguments, "names", ())]
    for name in asked:
        if name not in known:
            raise BadInput(
                "{name} stands in no configuration; there are {known}; --with names the configuration"
                " of another station",
                name=name,
                known=", ".join(known),
            )
    hosts = arguments.hosts or _hosts_before(issued) or [settings.broker.host]
    kept = dict.fromkeys([*named, *(made.name for made in issued if made.revoked is None)])
    chosen = asked or _wanting(authority, kept)
    for name in chosen:
        authority.issue(name, days=arguments.days, hosts=hosts if name == BROKER else ())
    return chosen


def _hosts_before(issued: Iterable[Certificate]) -> Sequence[str]:
    """Return what the newest certificate of the broker is good for."""
    own = [made for made in issued if made.name == BROKER]
    return max(own, key=lambda made: made.begins).hosts if own else ()


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


def _acl(
    authority: Authority, offices: Sequence[OfficeAccess], arguments: argparse.Namespace
) -> int:
    _leaves_nobody_out(authority, offices)
    files = _write_files(authority.folder, offices, arguments)
    if arguments.json:
        print_json({"file": str(file)} for file in files)
        return 0
    for file in files:
        print(file)
    _say_where(files[1])
    return 0


def _leaves_nobody_out(authority: Authority, offices: Iterable[OfficeAccess]) -> None:
    """Refuse an access file that would shut out a station whose configuration was forgotten."""
    named = {BROKER, *(name for office in offices for name in office.names())}
    now = datetime.now(UTC)
    holders = {made.name for made in authority.issued() if made.state(now) == "valid"}
    if forgotten := sorted(holders - named):
        raise BadInput(
            "{name} has a certificate that counts and stands in none of these configurations: name"
            " that of its station by --with, or take the certificate back by `tera broker revoke`",
            name=", ".join(forgotten),
        )


def _write_files(
    folder: Path, offices: Sequence[OfficeAccess], arguments: argparse.Namespace
) -> tuple[Path, Path]:
    """Write both files; what is not said of the listener stays as it was."""
    acl, listener = folder / _ACL, folder / _LISTENER
    before = listener_in(listener.read_text("utf-8")) if listener.exists() else Listener()
    said = {"folder": arguments.at, "port": arguments.port, "address": arguments.listen}
    now = replace(before, **{name: value for name, value in said.items() if value is not None})
    write_whole(acl, access_file(offices).encode())
    write_whole(listener, listener_file(now.folder, now.port, address=now.address).encode())
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


def _advise(action: str, fresh: Sequence[str], folder: Path) -> None:
    """Say what is to be done now, on standard error."""
    if action == "revoke":
        text = t(
            "Copy crl.pem from {file} to the broker and restart it now: until then it lets them in.",
            file=folder,
        )
        print(text, file=sys.stderr)
    elif action == "issue" and not fresh:
        print(t("Nothing is to be done: nobody lacks a certificate."), file=sys.stderr)
    elif fresh:
        text = t(
            "New: {names}. Copy NAME.crt and NAME.key from {file} to where they are used, beside"
            " ca.crt; programs take them at their next connection, Mosquitto its own after"
            " `systemctl reload mosquitto`. What was there before counts until it ends.",
            names=", ".join(fresh),
            file=folder,
        )
        print(text, file=sys.stderr)
    if action == "make":
        _say_where(folder / _LISTENER)


def _say_where(listener: Path) -> None:
    text = t(
        "At the broker: ca.crt, crl.pem, broker.crt, broker.key and tera.acl go to {file}, tera.conf to"
        " /etc/mosquitto/conf.d; all of them must be readable by the user mosquitto, and broker.key by"
        " nobody else. Then restart Mosquitto. ca.key stays here.",
        file=listener_in(listener.read_text("utf-8")).folder,
    )
    print(text, file=sys.stderr)
