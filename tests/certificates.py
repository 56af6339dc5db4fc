"""Certificates for tests: a CA and what it signs, or one that signed itself."""

import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """Make a self-signed certificate for 127.0.0.1; return the paths of certificate and key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return Authority(directory, "cert", key=key).certificate, _write_key(directory / "key.pem", key)


def _write_key(path: Path, key: Key) -> Path:
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


class Authority:
    """Signs certificates for 127.0.0.1 and `names`.

    Files are `<directory>/<name>.pem` and `<name>.key`.
    """

    def __init__(self, directory: Path, name: str, *names: str, key: Key | None = None) -> None:
        self._directory = directory
        self._names = names
        self._key = key or ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = directory / f"{name}.pem"
        self._write(self.certificate, self._signed(self._name, self._key.public_key(), ca=True))

    def issue(self, name: str, usages: Sequence[x509.ObjectIdentifier] = ()) -> tuple[Path, Path]:
        """Return certificate and key files of a new certificate, of use for all or for `usages`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        certificate = self._directory / f"{name}.pem"
        self._write(certificate, self._signed(subject, key.public_key(), usages))
        return certificate, _write_key(self._directory / f"{name}.key", key)

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
        usages: Sequence[x509.ObjectIdentifier] = (),
        *,
        ca: bool = False,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        names = [x509.DNSName(name) for name in self._names]
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=20))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([address, *names]), critical=False)
        )
        if usages:
            made = made.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        return made.sign(self._key, hashes.SHA256())

    def _write(self, path: Path, certificate: x509.Certificate) -> None:
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
