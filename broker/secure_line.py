"""TLS to a broker: which files, what is always checked, and one sentence for each way it fails.

Nothing here can be switched off: the broker's certificate must come from an authority we know, bear
the name that was called, be good for a server and count today; TLS is 1.2 or newer. Knows the
``ssl`` module; knows no MQTT.
"""

import re
import ssl
from datetime import UTC, datetime

from broker.address import BrokerAddress, Tls
from broker.authority import read_certificate
from broker.failure import BadSecret, BrokerAway
from broker.private_file import read_private

_ENDED, _NOT_YET, _NO_BROKER, _OTHER_NAMES = {10}, {9}, {26}, {62, 63, 64}
"""What OpenSSL finds of a certificate (X509_V_ERR_...)."""


def secure_context(tls: Tls) -> ssl.SSLContext:
    """Read the files of a connection; BadSecret names the one that will not do."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.ca_file is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # and none of the system's beside it
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_verify_locations(cafile=tls.ca_file)
        except ssl.SSLError:
            raise BadSecret("{file} holds no certificate in PEM", file=tls.ca_file) from None
        except OSError as error:
            raise BadSecret(
                "cannot read {file}: {why}", file=tls.ca_file, why=error.strerror
            ) from None
    if tls.certificate_file is not None and tls.key_file is not None:
        _show(context, tls)
    return context


def _show(context: ssl.SSLContext, tls: Tls) -> None:
    """Have a context show our own certificate, once it is found to be ours."""
    assert tls.certificate_file is not None  # noqa: S101 - the only caller has looked
    assert tls.key_file is not None  # noqa: S101
    own = read_certificate(tls.certificate_file)
    if tls.name and own.name != tls.name:
        raise BadSecret(
            "{file} is the certificate of {found}, not of {wanted}",
            file=tls.certificate_file,
            found=own.name or "?",
            wanted=tls.name,
        )
    pem = read_private(tls.key_file)
    if b"PRIVATE KEY-----" not in pem or b"ENCRYPTED" in pem:
        raise BadSecret(
            "{file} does not hold a key: {why}",
            file=tls.key_file,
            why="this is no private key in PEM without a passphrase",
        )
    try:
        # Without a passphrase at hand OpenSSL would ask for one at the terminal.
        context.load_cert_chain(tls.certificate_file, tls.key_file, password=lambda: "")
    except ssl.SSLError:
        raise BadSecret(
            "the key {file} does not fit the certificate {other}",
            file=tls.key_file,
            other=tls.certificate_file,
        ) from None


def explain(error: BaseException | None, said: str, address: BrokerAddress) -> BrokerAway | None:
    """Return the sentence for what TLS has found; None when it has found nothing.

    ``said`` is what was heard on the line after the greeting: since TLS 1.3 a broker looks at our
    certificate only then.
    """
    tls = address.tls or Tls()
    place = {"host": address.host, "port": address.port}
    if isinstance(error, ssl.SSLCertVerificationError):
        found = next((text for codes, text in _FOUND if error.verify_code in codes), _STRANGER)
        return BrokerAway(found, **place, file=tls.ca_file or "the system's list of authorities")
    reason = (error.reason or "") if isinstance(error, ssl.SSLError) else ""
    if heard := re.search(r"\[SSL: (\w+)\]", said):
        reason = heard[1]
    for words, text in _ALERTS:
        if any(word in reason for word in words):
            shown = tls.certificate_file
            return BrokerAway(_NONE if shown is None else text, **place, file=shown)
    if any(word in reason for word in _OLD):
        return BrokerAway(_TOO_OLD, **place)
    if isinstance(error, ssl.SSLError | ConnectionResetError):
        return BrokerAway(_NO_TLS, **place)
    return None


def explain_silence(address: BrokerAddress) -> BrokerAway:
    """Return the sentence for a broker that closed the line instead of answering."""
    place = {"host": address.host, "port": address.port}
    if address.tls is None:
        return BrokerAway(
            "the MQTT broker at {host}:{port} hung up without an answer: perhaps it wants TLS"
            " ([broker.tls])",
            **place,
        )
    file = address.tls.certificate_file
    if file is None:
        return BrokerAway(_NONE, **place)
    ended = read_certificate(file).ends < datetime.now(UTC)
    return BrokerAway(_ENDED_OURS if ended else _NOT_TAKEN, **place, file=file)


_STRANGER = (
    "the MQTT broker at {host}:{port} shows a certificate that {file} does not vouch for: somebody"
    " else answers there, or our authority's file is another's"
)
_FOUND = (
    (
        _ENDED,
        "the certificate of the MQTT broker at {host}:{port} has ended: renew it there; or the clock"
        " of this computer is wrong",
    ),
    (
        _NOT_YET,
        "the certificate of the MQTT broker at {host}:{port} does not count yet: the clock of this"
        " computer is wrong",
    ),
    (
        _NO_BROKER,
        "what answers at {host}:{port} shows a certificate that is not for a broker: somebody stands"
        " between, with a certificate of a bench",
    ),
    (
        _OTHER_NAMES,
        "the certificate of the MQTT broker at {host}:{port} is for another name: write a name that"
        " stands in it into broker.host, or have it made anew",
    ),
)
_NONE = "the MQTT broker at {host}:{port} wants a certificate from us: name their folder in [broker.tls]"
_NO_TLS = (
    "the MQTT broker at {host}:{port} does not speak TLS on this port; usually it does so on 8883"
)
_TOO_OLD = "the MQTT broker at {host}:{port} speaks only TLS that is older than 1.2: update it"
_OLD = ("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL")
_ENDED_OURS = (
    "the MQTT broker at {host}:{port} says that the certificate {file} has ended: renew it"
)
_NOT_TAKEN = (
    "the MQTT broker at {host}:{port} does not take the certificate {file}: its log says why"
)
_ALERTS = (
    (("ALERT_CERTIFICATE_EXPIRED",), _ENDED_OURS),
    (
        ("ALERT_CERTIFICATE_REVOKED",),
        "the MQTT broker at {host}:{port} says that the certificate {file} was revoked: only a new one"
        " helps",
    ),
    (
        ("ALERT_UNKNOWN_CA",),
        "the MQTT broker at {host}:{port} does not know the authority that signed {file}",
    ),
    (("ALERT_CERTIFICATE", "_CERTIFICATE_REQUIRED", "ALERT_HANDSHAKE_FAILURE"), _NOT_TAKEN),
    (("ALERT_BAD_CERTIFICATE", "ALERT_UNSUPPORTED_CERT", "ALERT_DECRYPT_ERROR"), _NOT_TAKEN),
)
"""What a broker says of our certificate, by parts of OpenSSL's names for it."""
