"""A small private authority: certificates for test networks, and for offices that have none.

It lives in one folder: its own key, one pair of files for each name, every certificate it ever
gave, and the list of those it took back. Nothing here is needed where an office has an authority
of its own. Knows X.509 and files; knows no broker, and who needs a certificate is not its matter.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from broker.failure import BadSecret
from broker.private_file import read_private, write_private, write_whole

BROKER = "broker"
"""Name of the broker's own pair of files."""
_LONGEST_NAME = 64
"""Most characters that X.509 gives a name."""
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")
_EARLIER = timedelta(days=1)
"""A certificate counts from so long before it was made: clocks after a power cut are behind."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says."""

    name: str
    """Common name: ``bench@office``, or ``broker``."""
    serial: int
    issuer: str
    """Common name of the authority."""
    begins: datetime
    ends: datetime
    hosts: tuple[str, ...] = ()
    """Names and addresses that it is good for as a broker."""
    revoked: datetime | None = None
    """When it was taken back; None where that is not known."""

    def state(self, now: datetime) -> str:
        """Say whether it counts: valid, waits, ended or revoked."""
        if self.revoked is not None:
            return "revoked"
        if now > self.ends:
            return "ended"
        return "valid" if now >= self.begins else "waits"


def read_certificate(path: Path) -> Certificate:
    """Read the first certificate of a PEM file; BadSecret when there is none."""
    try:
        return _said(x509.load_pem_x509_certificate(path.read_bytes()))
    except OSError as error:
        raise BadSecret("cannot read {file}: {why}", file=path, why=error.strerror) from None
    except ValueError:
        raise BadSecret("{file} holds no certificate in PEM", file=path) from None


def check_hosts(hosts: Iterable[str]) -> None:
    """Raise BadSecret for what cannot be the name or address of a computer."""
    for host in hosts:
        _host(host)


def certificate_of(folder: Path, name: str) -> tuple[Path, Path]:
    """Return the files of certificate and key of a name."""
    return folder / f"{name}.crt", folder / f"{name}.key"


class Authority:
    """An authority that was made before."""

    def __init__(self, folder: Path) -> None:
        """Read it; BadSecret when it is not there, or its key is not private."""
        self.folder = folder
        key_file = folder / "ca.key"
        if not key_file.exists():
            raise BadSecret(
                "there is no authority in {file}: `tera broker make` makes one", file=folder
            )
        self._key = _key_in(key_file)
        self._own = _certificate_in(folder / "ca.crt")

    @classmethod
    def make(cls, folder: Path, name: str, days: int = 3650) -> Self:
        """Make an authority, and an empty list of what it took back."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (folder / "issued").mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise BadSecret("cannot write {file}: {why}", file=folder, why=error.strerror) from None
        key = ec.generate_private_key(ec.SECP256R1())
        own = _name(name)
        begins = _now() - _EARLIER
        made = (
            x509.CertificateBuilder()
            .subject_name(own)
            .issuer_name(own)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(begins + timedelta(days=days) + _EARLIER)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .sign(key, hashes.SHA256())
        )
        write_private(folder / "ca.key", _pem(key))
        write_whole(folder / "ca.crt", made.public_bytes(Encoding.PEM))
        authority = cls(folder)
        authority._write_list({})
        return authority

    def issue(
        self,
        name: str,
        *,
        days: int = 730,
        hosts: Sequence[str] = (),
        begins: datetime | None = None,
    ) -> Certificate:
        """Make a fresh key and a certificate for it; with ``hosts`` it is a broker's.

        What had the name before keeps counting until it ends or is taken back.
        """
        first = (_now() if begins is None else begins) - _EARLIER
        last = min(first + _EARLIER + timedelta(days=days), self._own.not_valid_after_utc)
        if last <= first:
            raise BadSecret(
                "the authority in {file} itself ends on {last}: make a new one in another folder",
                file=self.folder,
                last=self._own.not_valid_after_utc.date(),
            )
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(self._own.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(first)
            .not_valid_after(last)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
        )
        if hosts:
            names = x509.SubjectAlternativeName([_host(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        made = builder.sign(self._key, hashes.SHA256())
        pem = made.public_bytes(Encoding.PEM)
        write_whole(self.folder / "issued" / f"{made.serial_number:040x}.crt", pem)
        certificate_file, key_file = certificate_of(self.folder, name)
        write_private(key_file, _pem(key))
        write_whole(certificate_file, pem)
        return _said(made)

    def issued(self) -> tuple[Certificate, ...]:
        """Return every certificate that was ever given, by name and age."""
        taken = self._taken_back()
        found = [
            _said(made, taken.get(made.serial_number))
            for made in map(_certificate_in, (self.folder / "issued").glob("*.crt"))
        ]
        return tuple(sorted(found, key=lambda made: (made.name, made.begins, made.serial)))

    def revoke(self, which: str) -> tuple[Certificate, ...]:
        """Take back for good what has a name or a serial number; return what that is."""
        known = self.issued()
        chosen = {made.serial for made in known if which in (made.name, f"{made.serial:040x}")}
        if not chosen:
            raise BadSecret("there is no certificate {id} in {file}", id=which, file=self.folder)
        now = _now()
        self._write_list(dict.fromkeys(chosen, now) | self._taken_back())
        return tuple(made for made in self.issued() if made.serial in chosen)

    def _taken_back(self) -> dict[int, datetime]:
        """Return serial number and moment of what stands in the list."""
        path = self.folder / "crl.pem"
        try:
            found = x509.load_pem_x509_crl(path.read_bytes())
        except (OSError, ValueError) as error:
            raise BadSecret("{file} holds no list of revoked certificates", file=path) from error
        if not found.is_signature_valid(self._key.public_key()):
            raise BadSecret("{file} was not signed by this authority", file=path)
        return {entry.serial_number: entry.revocation_date_utc for entry in found}

    def _write_list(self, taken: dict[int, datetime]) -> None:
        # It counts until the authority ends: a broker lets nobody in with a list that has run out,
        # and whoever could keep a new list from the broker's own disk could do worse.
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._own.subject)
            .last_update(_now() - _EARLIER)
            .next_update(self._own.not_valid_after_utc)
        )
        for serial, moment in sorted(taken.items()):
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment)
            builder = builder.add_revoked_certificate(entry.build())
        made = builder.sign(self._key, hashes.SHA256())
        write_whole(self.folder / "crl.pem", made.public_bytes(Encoding.PEM))


def _said(made: x509.Certificate, revoked: datetime | None = None) -> Certificate:
    try:
        names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        hosts = tuple(
            str(entry.value) for entry in names if isinstance(entry, x509.DNSName | x509.IPAddress)
        )
    except x509.ExtensionNotFound:
        hosts = ()
    return Certificate(
        _common_name(made.subject),
        made.serial_number,
        _common_name(made.issuer),
        made.not_valid_before_utc,
        made.not_valid_after_utc,
        hosts,
        revoked,
    )


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def _name(name: str) -> x509.Name:
    if not 0 < len(name) <= _LONGEST_NAME:
        raise BadSecret(
            "{name} is too long for a certificate, which gives a name {most} characters",
            name=name,
            most=_LONGEST_NAME,
        )
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        if _HOST.fullmatch(host) is None:
            raise BadSecret("{name} is no name of a computer", name=host) from None
        return x509.DNSName(host)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _key_in(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(read_private(path), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise BadSecret("{file} is not the key of an authority", file=path)
    return key


def _certificate_in(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise BadSecret("cannot read {file}: {why}", file=path, why=error.strerror) from None
    except ValueError:
        raise BadSecret("{file} holds no certificate in PEM", file=path) from None


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
