"""A private certificate authority and what it signs: enough for a broker's first day and years."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bridge.broker.folder import BrokerFolder
from bridge.errors import ConfigError
from bridge.runtime.regular_file import read_regular

__all__ = ["Authority", "CertificateFacts", "default_hosts", "facts", "read_certificates"]

_LONGEST = 4 << 20
"""Bytes of a PEM file; all authorities that systems know take a few hundred thousand."""

AUTHORITY_DAYS: Final = 3650
SERVER_DAYS: Final = 397
"""Browsers take certificates of servers for no longer."""
_BACK: Final = timedelta(hours=1)
"""Valid from then on: a client's clock may be behind."""
_LONGEST_NAME: Final = 253

Key: TypeAlias = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What a person wants to know about a certificate."""

    kind: Literal["authority", "server", "client"]
    subject: str
    hosts: tuple[str, ...]
    ends: datetime

    def days_left(self, now: datetime) -> int:
        """Return the whole days until it ends; negative when it has."""
        return (self.ends - now).days


def default_hosts() -> list[str]:
    """Return the names under which a broker on this machine is reached: here, and by its name."""
    names = ["localhost", "127.0.0.1", "::1"]
    own = socket.gethostname().lower()
    try:
        _general_name(own)
    except ConfigError:
        return names
    return names if own in names else [*names, own]


class Authority:
    """The certificate authority in the folder of a broker."""

    def __init__(self, folder: BrokerFolder, now: datetime | None = None) -> None:
        """Open or make it.

        :raises ConfigError: its files cannot be read or made.
        """
        self._folder = folder
        self._now = now or datetime.now(UTC)
        self.path = folder.tls
        self.crt, self.key = self.path / "ca.crt", self.path / "ca.key"
        try:
            folder.prepare()
            self.made = not self.crt.exists()
            if self.made:
                if self.key.exists():
                    raise ConfigError(f"{self.key} has no {self.crt.name} beside it: move it away")
                self._make()
            self._certificate = x509.load_pem_x509_certificate(read_regular(self.crt, _LONGEST))
            self._key = _private_key(self.key)
        except OSError as error:
            hint = ""
            if error.filename == str(self.key) and isinstance(error, FileNotFoundError):
                hint = ": bring it back from where you keep it; only it can sign"
            raise ConfigError(f"{error.filename}: {error.strerror}{hint}") from None
        except ValueError:
            raise ConfigError(f"{self.crt} holds no certificate") from None
        if self._key.public_key() != self._certificate.public_key():
            raise ConfigError(f"{self.key} does not belong to {self.crt}")

    def _make(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kis-mqtt-bridge CA")])
        certificate = (
            _builder(name, name, key, self._now, self._now + timedelta(days=AUTHORITY_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        self._write("ca", key, certificate, open_key=False)

    def server(self, hosts: Sequence[str]) -> CertificateFacts:
        """Make the broker's certificate and key for these names and addresses."""
        names = [_general_name(host) for host in dict.fromkeys(hosts)]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])])
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(
            key, subject, ExtendedKeyUsageOID.SERVER_AUTH, x509.SubjectAlternativeName(names)
        )
        self._write("server", key, certificate, open_key=True)
        return facts(certificate)

    def client(self, name: str) -> CertificateFacts:
        """Make a certificate by which a client shows that it is ``name``."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(key, subject, ExtendedKeyUsageOID.CLIENT_AUTH)
        self._write(f"client-{name}", key, certificate, open_key=False)
        return facts(certificate)

    def server_hosts(self) -> list[str]:
        """Return the names that the broker's certificate has now; none: there is none yet."""
        path = self.path / "server.crt"
        if not path.exists():
            return []
        return [host for found in read_certificates(path) for host in found.hosts]

    def _signed(
        self,
        key: Key,
        subject: x509.Name,
        usage: x509.ObjectIdentifier,
        alternative: x509.SubjectAlternativeName | None = None,
    ) -> x509.Certificate:
        issuer = self._certificate
        ends = min(self._now + timedelta(days=SERVER_DAYS), issuer.not_valid_after_utc)
        if ends <= self._now:
            raise ConfigError(
                f"{self.crt} ended on {issuer.not_valid_after_utc:%Y-%m-%d}: move {self.path} away"
                " and run kis-bridge tls init"
            )
        builder = (
            _builder(subject, issuer.subject, key, self._now, ends, issuer)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        )
        if alternative is not None:
            builder = builder.add_extension(alternative, critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def _write(self, name: str, key: Key, certificate: x509.Certificate, *, open_key: bool) -> None:
        """Write both files; ``open_key``: the broker's group, if it has one, reads the key."""
        pem = serialization.Encoding.PEM
        secret = key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        private = self._folder if open_key else BrokerFolder(self._folder.path)
        try:
            private.write(self.path / f"{name}.key", secret)
            shown = self.path / f"{name}.crt"
            self._folder.write(shown, certificate.public_bytes(pem).decode())
            shown.chmod(0o644)
        except OSError as error:
            raise ConfigError(f"{error.filename or self.path}: {error.strerror}") from None


def read_certificates(path: Path) -> list[CertificateFacts]:
    """Return what is in a PEM file, the first one first; raises :class:`ConfigError`."""
    try:
        data = read_regular(path, _LONGEST)
        return [facts(found) for found in x509.load_pem_x509_certificates(data)]
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except ValueError:
        raise ConfigError(f"{path} holds no certificate") from None


def facts(certificate: x509.Certificate) -> CertificateFacts:
    """Return what a person wants to know about a certificate."""
    kind: Literal["authority", "server", "client"] = "server"
    hosts: list[str] = []
    for extension in certificate.extensions:
        match extension.value:
            case x509.BasicConstraints(ca=True):
                kind = "authority"
            case x509.ExtendedKeyUsage() as usage if ExtendedKeyUsageOID.SERVER_AUTH not in usage:
                kind = "client"
            case x509.SubjectAlternativeName() as names:
                hosts = [str(name.value) for name in names]
    name = certificate.subject.rfc4514_string()
    return CertificateFacts(kind, name, tuple(hosts), certificate.not_valid_after_utc)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: Key,
    now: datetime,
    ends: datetime,
    signer: x509.Certificate | None = None,
) -> x509.CertificateBuilder:
    public = key.public_key()
    above = public if signer is None else signer.public_key()
    assert isinstance(above, ec.EllipticCurvePublicKey)  # noqa: S101
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACK)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above), critical=False)
    )


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


def _private_key(path: Path) -> Key:
    try:
        key = serialization.load_pem_private_key(read_regular(path, _LONGEST), password=None)
    except (ValueError, TypeError):
        raise ConfigError(f"{path} holds no key without a pass phrase") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigError(f"{path} is no key on an elliptic curve, as kis-bridge tls makes them")
    return key


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    if not _is_dns(host.removeprefix("*.")):
        raise ConfigError(f"--host {host[:80]!r}: a host name or an address, without a port")
    return x509.DNSName(host.lower())


def _is_dns(name: str) -> bool:
    labels: Iterable[str] = name.split(".")
    return len(name) <= _LONGEST_NAME and all(
        0 < len(label) <= 63
        and label.isascii()
        and label.replace("-", "").replace("_", "").isalnum()
        and not label.startswith("-")
        for label in labels
    )
