"""Who this station is to the broker: the files of each bench's certificate, looked at before a start.

Knows where ``[broker.tls]`` has them. Refuses to start with a file that is missing, is not private,
or is somebody else's; one that has ended is named by the doctor and by the broker, since verdicts
wait on disk and a clock may be wrong.
"""

from collections.abc import Iterable, Mapping

from acquisition.config import Premises
from acquisition.faults import BadInput
from broker.access import user
from broker.address import Tls
from broker.authority import certificate_of
from broker.failure import BadSecret
from broker.secure_line import secure_context


def tls_of(settings: Premises, who: str) -> Tls | None:
    """Return how somebody's connection is secured; None where connections are not."""
    given = settings.broker.tls
    if given is None:
        return None
    if given.folder is None:
        return Tls(ca_file=given.ca_file)
    name = user(who, settings.office.code)
    certificate_file, key_file = certificate_of(given.folder, name)
    return Tls(given.ca_file or given.folder / "ca.crt", name, certificate_file, key_file)


def checked_tls(settings: Premises, who: str) -> Tls | None:
    """Return the same once its files are found to do; BadInput names the one that will not."""
    tls = tls_of(settings, who)
    if tls is not None:
        try:
            secure_context(tls)
        except BadSecret as error:
            raise BadInput(error.template, place="broker.tls", **error.evidence) from None
    return tls


def certificates(
    settings: Premises, benches: Iterable[str], left_behind: Iterable[str]
) -> Mapping[str, Tls]:
    """Return what each bench shows of itself; of benches that are no more, unchecked."""
    found = {name: checked_tls(settings, name) for name in benches}
    found |= {name: tls_of(settings, name) for name in left_behind}
    return {name: tls for name, tls in found.items() if tls is not None}
