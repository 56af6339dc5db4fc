"""The kit CA's certificates, as the role makes them: one that serves opens no door as a client."""

import os
import re
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.faults.record import Outcome
from tests.unit.playbooks.modules import PLAYBOOKS

PART = "Attackers: certificates"
PLAY = """
- hosts: all
  gather_facts: false
  roles: [fleet, certificates]
"""
HOSTS = """
all:
  vars: {ansible_connection: local, ansible_python_interpreter: %s, fleet_operator_networks: []}
master: {hosts: {front: {fleet_address: 127.0.0.1}}}
workers: {hosts: {back: {fleet_address: 127.0.0.2}}}
monitoring: {hosts: {eye: {fleet_address: 127.0.0.3}}}
"""


class Site:
    """An inventory whose certificates the role makes on this machine."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "hosts.yml").write_text(HOSTS % sys.executable)
        (directory / "play.yml").write_text(PLAY)
        self.secrets = directory / ".secrets"
        self.secrets.mkdir(mode=0o700)

    def deploy(self) -> bool:
        """Play the role; tell whether anything changed."""
        words = ["ansible-playbook", "-i", "hosts.yml", "play.yml"]
        finished = subprocess.run(
            [str(Path(sys.executable).parent / words[0]), *words[1:]],
            cwd=self.directory,
            env={**os.environ, "ANSIBLE_CONFIG": str(PLAYBOOKS.parent / "ansible.cfg")},
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return any(int(count) for count in re.findall(r"changed=(\d+)", finished.stdout))

    @property
    def ca(self) -> Path:
        return self.secrets / "ca" / "ca.pem"

    def server(self, host: str) -> Path:
        return self.secrets / "certificates" / f"{host}.pem"

    def client(self, host: str) -> Path:
        return self.secrets / "certificates" / "clients" / f"{host}.pem"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = Site(tmp_path_factory.mktemp("site"))
    assert site.deploy()
    return site


def context(protocol: int, ca: Path, own: Path) -> ssl.SSLContext:
    """Return either end's settings: it shows its own and asks the other for one of the CA's."""
    made = ssl.SSLContext(protocol)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_verify_locations(ca)
    made.load_cert_chain(own, own.with_suffix(".key"))
    return made


def shake_hands(ca: Path, server: Path, client: Path) -> None:
    """Let the two talk TLS until both are content. SSLError: one of them isn't."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        context(ssl.PROTOCOL_TLS_CLIENT, ca, client).wrap_bio(to_client, to_server),
        context(ssl.PROTOCOL_TLS_SERVER, ca, server).wrap_bio(
            to_server, to_client, server_side=True
        ),
    ]
    for _ in range(5):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue


@pytest.mark.fault(
    PART, "A server certificate is used by a client, and a client certificate is used by a server."
)
def test_what_serves_scrapes_nothing_and_what_scrapes_serves_nobody(
    site: Site, outcome: Outcome
) -> None:
    for host in ("front", "back", "eye"):
        with pytest.raises(ssl.SSLError, match="purpose"):
            shake_hands(site.ca, site.server("front"), site.server(host))
    for host in ("front", "eye"):
        shake_hands(site.ca, site.server("back"), site.client(host))
        with pytest.raises(ssl.SSLError, match="purpose"):
            shake_hands(site.ca, site.client(host), site.client(host))
    assert not site.client("back").exists()
    outcome("The TLS handshake refuses both; only Prometheus, and root on the master, can scrape.")


@pytest.mark.fault(
    PART, "A fleet is deployed again whose old certificates are valid for both servers and clients."
)
def test_a_deploy_renews_what_has_another_usage_and_nothing_else(
    site: Site, outcome: Outcome
) -> None:
    former = {host: site.server(host).read_bytes() for host in ("front", "back")}
    make_old(site, "front")
    assert site.deploy()
    assert site.server("front").read_bytes() != former["front"]
    assert site.server("back").read_bytes() == former["back"]
    with pytest.raises(ssl.SSLError, match="purpose"):
        shake_hands(site.ca, site.server("back"), site.server("front"))
    assert not site.deploy()
    outcome("The deploy renews the certificates; the next deploy changes nothing.")


def make_old(site: Site, host: str) -> None:
    """Sign the host's certificate again for both usages, as releases before did."""
    present = x509.load_pem_x509_certificate(site.server(host).read_bytes())
    key = serialization.load_pem_private_key((site.secrets / "ca" / "ca.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    names = present.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    made = (
        x509.CertificateBuilder(
            present.issuer, present.subject, present.public_key(), x509.random_serial_number(),
            present.not_valid_before_utc, present.not_valid_after_utc,
        )
        .add_extension(names, critical=False)
        .add_extension(x509.ExtendedKeyUsage(both), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    site.server(host).write_bytes(made.public_bytes(serialization.Encoding.PEM))
    shake_hands(site.ca, site.server("back"), site.server(host))
