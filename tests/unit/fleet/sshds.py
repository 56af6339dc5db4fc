"""Real sshds on loopback for tests of connections, and what logs in to them."""

import getpass
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.ports import free_ports
from tests.waiting import await_

INSTALL = Path(__file__).parents[2] / "install-packages"
SSHD = "/usr/sbin/sshd"
# What `sudo` does with a password, without a user of the machine: it asks, it doesn't, it refuses.
SUDO = """#!/bin/sh
while [ $# -gt 0 ]; do
  case $1 in
    -p) prompt=$2; shift;;
    -u) shift;;
    -n) quiet=1;;
    -*) ;;
    *) break;;
  esac
  shift
done
if [ -n "%(asks)s" ]; then
  [ -z "$quiet" ] || { echo "sudo: a password is required" >&2; exit 1; }
  for try in 1 2 3; do
    printf '%%s' "$prompt" >&2
    IFS= read -r given || exit 1
    [ "$given" = "s3cret" ] && exec "$@"
    echo "Sorry, try again." >&2
  done
  exit 1
fi
exec "$@"
"""


def run(*words: str | Path) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=30).stdout


@dataclass
class Sshds:
    """A target, and two bastions that may reach the next one only: first → second → target."""

    directory: Path
    user: str = field(default_factory=getpass.getuser)
    target: int = 0
    first: int = 0
    second: int = 0
    agent: str = ""

    def path(self, name: str) -> Path:
        return self.directory / name

    @property
    def known(self) -> str:
        """What a client gives to trust the host keys of all."""
        return self.trusting("known hosts")

    def trusting(self, name: str) -> str:
        """OpenSSH takes a space in a path only in quotes of its own."""
        return f"-o 'UserKnownHostsFile=\"{self.path(name)}\"'"


def make_key(path: Path, passphrase: str = "") -> None:
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", path.name, "-f", path)


@contextmanager
def sshds(directory: Path) -> Iterator[Sshds]:
    """Run them until the block ends, with an agent that holds the key `in_agent`."""
    subprocess.run([INSTALL, "openssh-server"], check=True)
    found = Sshds(directory)
    found.target, found.first, found.second = free_ports(3)
    for name in ("host", "key", "in_agent", "certified", "ca", "stranger"):
        make_key(found.path(name))
    make_key(found.path("locked"), "open sesame")
    words = ("ssh-keygen", "-q", "-s", found.path("ca"), "-I", "test")
    run(*words, "-h", "-n", "127.0.0.1", found.path("host.pub"))
    run(*words, "-n", found.user, found.path("certified.pub"))
    accepted = [found.path(f"{name}.pub").read_text() for name in ("key", "in_agent", "locked")]
    found.path("authorized").write_text("".join(accepted))
    for name, asks in (("sudo_asking", "1"), ("sudo_quiet", "")):
        found.path(name).write_text(SUDO % {"asks": asks})
        found.path(name).chmod(0o755)
    _write_known_hosts(found)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with ExitStack() as stack:
        for port, permitted in (
            (found.target, "none"),
            (found.second, f"127.0.0.1:{found.target}"),
            (found.first, f"127.0.0.1:{found.second}"),
        ):
            stack.enter_context(_sshd(found, port, permitted))
        found.agent = stack.enter_context(_agent(found))
        yield found


def _write_known_hosts(found: Sshds) -> None:
    key = " ".join(found.path("host.pub").read_text().split()[:2])
    ports = (found.target, found.first, found.second)
    names = [f"[{name}]:{port}" for port in ports for name in ("127.0.0.1", "::1", "localhost")]
    trusted = f"@cert-authority [127.0.0.1]:{found.target} {found.path('ca.pub').read_text()}"
    found.path("authority known").write_text(trusted)
    found.path("known hosts").write_text(f"{','.join(names)} {key}\nfleet-target {key}\n")


@contextmanager
def _sshd(found: Sshds, port: int, permitted: str) -> Iterator[None]:
    config = found.path(f"sshd-{port}")
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nListenAddress ::1\nHostKey {found.path('host')}\n"
        f"HostCertificate {found.path('host-cert.pub')}\n"
        f"AuthorizedKeysFile {found.path('authorized')}\nTrustedUserCAKeys {found.path('ca.pub')}\n"
        "StrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\nUsePAM no\n"
        "MaxStartups 200\n"
        f"KbdInteractiveAuthentication no\nPermitOpen {permitted}\nPidFile none\n"
    )
    log = found.path(f"sshd-{port}.log")
    with log.open("wb") as errors:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", config], stderr=errors)
    try:
        await_(lambda: log.read_text().count("Server listening") == 2, "sshd to listen")
        yield
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def _agent(found: Sshds) -> Iterator[str]:
    socket = str(found.path("agent"))
    process = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    try:
        await_(lambda: Path(socket).exists(), "the agent's socket")
        environment = {**os.environ, "SSH_AUTH_SOCK": socket}
        added = ["ssh-add", "-q", str(found.path("in_agent"))]
        subprocess.run(added, env=environment, check=True, capture_output=True)
        yield socket
    finally:
        process.terminate()
        process.wait(30)
