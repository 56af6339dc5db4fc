"""Filters that tell whether a certificate on the controller still does."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID

USAGES = {
    ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth",
    ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth",
}


def certificate_holds(
    path: str, days: int, ca: str | None = None, names: Sequence[str] = (), usage: str = ""
) -> bool:
    """Whether the file is a certificate that lasts `days` more, has a key beside it, and fits.

    With `ca` it must be signed by that file's certificate, carry exactly `names`, each as
    DNS:name or IP:address, and be of use for `usage` and nothing else: so that a server's
    certificate opens no door as a client.
    """
    if not Path(path).exists() or not Path(path).with_suffix(".key").exists():
        return False
    certificate = x509.load_pem_x509_certificate(Path(path).read_bytes())
    lasts = certificate.not_valid_after_utc > datetime.now(UTC) + timedelta(days=days)
    return lasts and (ca is None or _fits(certificate, Path(ca), names, usage))


def certificates_lacking(
    wanted: Sequence[Mapping[str, str]], days: int, ca: str, names: Sequence[str]
) -> list[Mapping[str, str]]:
    """Return those of `wanted`, each a certificate's path and usage, that don't hold."""
    return [
        one
        for one in wanted
        if not certificate_holds(one["certificate"], days, ca, names, one["usage"])
    ]


def _fits(certificate: x509.Certificate, ca: Path, names: Sequence[str], usage: str) -> bool:
    if not ca.exists():
        return False
    try:
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(ca.read_bytes()))
        carried = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (InvalidSignature, ValueError, x509.ExtensionNotFound):
        return False
    dns = {f"DNS:{name}" for name in carried.get_values_for_type(x509.DNSName)}
    addresses = {f"IP:{one}" for one in carried.get_values_for_type(x509.IPAddress)}
    return dns | addresses == set(names) and [USAGES.get(one) for one in usages] == [usage]


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {
            "certificate_holds": certificate_holds,
            "certificates_lacking": certificates_lacking,
        }
