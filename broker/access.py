"""Who may what at the broker: the access file and the listener of Mosquitto, written from names.

The certificate of whoever connects names its user, and each user has the few topics of its work.
Everything else is denied, also to read. Knows topics and Mosquitto's two formats; touches no file.

What a broker cannot know: records travel on the topic of their verification, so any bench may
write any verification, and a subscriber does not see who wrote. docs/security.md says what follows.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from broker.address import Topics
from broker.failure import BadSecret
from broker.record import LIMIT

RECORDS = "records"
"""Name of the records system of an office."""


@dataclass(frozen=True, slots=True)
class OfficeAccess:
    """Who there is in one office."""

    office: str
    """Code of the unit."""
    benches: Mapping[str, bool]
    """Name of each bench, and whether everything on it is a trial."""
    dashboards: Sequence[str] = field(default_factory=tuple)
    """Names of those who only look."""

    def names(self) -> tuple[str, ...]:
        """Return the user of each; BadSecret when two of them would be one."""
        plain = [*self.benches, RECORDS, *self.dashboards]
        doubled = sorted({name for name in plain if plain.count(name) > 1})
        if doubled:
            raise BadSecret(
                "{name} is the name of two who connect to the broker: call one of them otherwise",
                name=doubled[0],
            )
        return tuple(user(name, self.office) for name in plain)


def user(name: str, office: str) -> str:
    """Return the name that stands in a certificate, and under which the broker knows its holder."""
    return f"{name}@{office}"


def access_file(offices: Iterable[OfficeAccess]) -> str:
    """Write the ACL file of Mosquitto."""
    lines = [
        "# Who may what, written by `tera broker acl`: make it again instead of editing it.",
        "# A user is the name in the certificate; what is not listed is denied.",
    ]
    for office in offices:
        office.names()
        for name, trial in office.benches.items():
            lines += _entry(name, office.office, _bench(name, office.office, trial))
        lines += _entry(RECORDS, office.office, _records(office.office))
        for name in office.dashboards:
            lines += _entry(name, office.office, _dashboard(office.office))
    return "\n".join(lines) + "\n"


def _entry(name: str, office: str, rules: Iterable[tuple[str, str]]) -> list[str]:
    return ["", f"user {user(name, office)}", *(f"topic {may} {topic}" for may, topic in rules)]


def _both(office: str) -> tuple[Topics, Topics]:
    return Topics(office), Topics(office, trial=True)


def _bench(name: str, office: str, trial: bool) -> Iterator[tuple[str, str]]:
    """Give the topics of a bench; what is simulated never writes where legal verdicts travel."""
    for topics in _both(office):
        if topics.trial or not trial:
            yield "readwrite", topics.state(name)  # it looks whether another computer holds it
            yield "write", topics.live(name, "x").removesuffix("x") + "+"
            yield "write", topics.start("+")
            yield "write", topics.verdict("+")
        yield "read", topics.receipts(name)
        yield "read", topics.order("+")


def _records(office: str) -> Iterator[tuple[str, str]]:
    for topics in _both(office):
        yield "read", topics.start("+")
        yield "read", topics.verdict("+")
        yield "read", f"{topics.root}/state/+"
        yield "write", f"{topics.root}/receipts/+"
        yield "readwrite", topics.order("+")


def _dashboard(office: str) -> Iterator[tuple[str, str]]:
    for topics in _both(office):
        yield "read", f"{topics.root}/live/+/+"
        yield "read", f"{topics.root}/state/+"


@dataclass(frozen=True, slots=True)
class Listener:
    """Where the broker listens, and where its files lie."""

    folder: str = "/etc/mosquitto/tera"
    port: int = 8883
    address: str = ""
    """Empty: all addresses of its computer."""


def listener_in(text: str) -> Listener:
    """Return what a listener file that was written here says; the defaults for anything else."""
    place = re.search(r"^listener (\d+)(?: (\S+))?$", text, re.MULTILINE)
    folder = re.search(r"^cafile (.+)/ca\.crt$", text, re.MULTILINE)
    if place is None or folder is None:
        return Listener()
    return Listener(folder[1], int(place[1]), place[2] or "")


def listener_file(folder: str, port: int, *, address: str = "", revocations: bool = True) -> str:
    """Write the part of Mosquitto's configuration that the access file needs.

    ``folder`` is where the files lie at the broker's computer; ``address`` is the one to listen
    at, all of them when empty.
    """
    place = f"listener {port} {address}".rstrip()
    crl = "crlfile" if revocations else "# crlfile"
    return f"""\
# Mosquitto 2.0 or newer, written by `tera broker acl`. Put it into /etc/mosquitto/conf.d, and see
# that no other listener is open: whoever comes in by another door is not asked for a certificate.
{place}
cafile {folder}/ca.crt
certfile {folder}/broker.crt
keyfile {folder}/broker.key
# Who has a certificate that was taken back is not let in. After a new one was taken back: copy the
# new list here and restart Mosquitto; after a reload whoever is connected would stay.
{crl} {folder}/crl.pem
require_certificate true
use_identity_as_username true
tls_version tlsv1.2
allow_anonymous false
acl_file {folder}/tera.acl

# Larger messages are dropped, and nobody can fill the memory of the broker or of a records system.
# What is dropped here is not lost: a station publishes until it has the receipt.
message_size_limit {LIMIT}
max_inflight_bytes {4 * LIMIT}
max_inflight_messages 1024
max_queued_messages 0
max_queued_bytes {64 * LIMIT}

# Sessions of a records system that is away, and retained orders, outlive a restart.
persistence true
set_tcp_nodelay true

# Mosquitto names what it denied at the level debug only; about 120 byte for each message.
log_type error
log_type warning
log_type notice
log_type information
log_type subscribe
log_type debug
"""
