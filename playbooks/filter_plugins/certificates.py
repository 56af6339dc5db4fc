"""Filters that tell whether a certificate on the controller still does."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature


def certificate_holds(
    path: str, days: int, ca: str | None = None, names: Sequence[str] = ()
) -> bool:
    """Whether the file is a certificate that lasts `days` more, has a key beside it, and fits.

    With `ca` it must be signed by that file's certificate and carry exactly `names`, each as
    DNS:name or IP:address.
    """
    if not Path(path).exists() or not Path(path).with_suffix(".key").exists():
        return False
    certificate = x509.load_pem_x509_certificate(Path(path).read_bytes())
    lasts = certificate.not_valid_after_utc > datetime.now(UTC) + timedelta(days=days)
    return lasts and (ca is None or _fits(certificate, Path(ca), names))


def _fits(certificate: x509.Certificate, ca: Path, names: Sequence[str]) -> bool:
    if not ca.exists():
        return False
    try:
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(ca.read_bytes()))
    except (InvalidSignature, ValueError):
        return False
    carried = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    dns = {f"DNS:{name}" for name in carried.get_values_for_type(x509.DNSName)}
    addresses = {f"IP:{one}" for one in carried.get_values_for_type(x509.IPAddress)}
    return dns | addresses == set(names)


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self) -> dict[str, Callable[..., bool]]:
        """Return the filters by name."""
        return {"certificate_holds": certificate_holds}
