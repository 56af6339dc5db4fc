"""What OpenSSH says when it can't log in, as a sentence that names the next step."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from loadgen.fleet.inventory import Node

Resolved = Mapping[str, Sequence[str]]
_UNRESOLVED = re.compile(r"Could not resolve hostname ([^:]+):")
_REFUSED = re.compile(r"(\S+): Permission denied \(([^)]*)\)")
_CONNECT = re.compile(r"connect to host (\S+) port (\d+): (?P<cause>.+)")
_FORWARD = re.compile(r"open failed: (?P<cause>.+)")
_OPTION = re.compile(r"(Bad configuration option.*|.*: line \d+: .*|Bad owner or permissions.*)")


def explain(node: Node, said: str, resolved: Resolved) -> str:
    """Return the sentence; `said` is what ssh printed, `resolved` what `ssh -G` did (or {})."""
    where, way = endpoint(node, resolved), _way(resolved)
    if "Host key verification failed" in said:
        return _unknown_key(node, where + way, said, resolved)
    if refused := _REFUSED.search(said):
        return _not_accepted(node, where, refused, resolved)
    if unresolved := _UNRESOLVED.search(said):
        name = unresolved.group(1)
        return f"the name {name} can't be resolved; check ansible_host in the inventory{way}"
    if option := _OPTION.search(said):
        return f"OpenSSH refuses its own configuration for {where}: {option.group(1)}; correct it"
    if not said or "timed out" in said.lower():
        return f"{where} did not answer in time{way}; check that the host is up"
    connect = _CONNECT.search(said) or _FORWARD.search(said)
    cause = connect.group("cause").lower() if connect else said.splitlines()[-1].strip()
    return f"no SSH connection to {where}: {cause}{way}; check that the host is up and sshd runs"


def _unknown_key(node: Node, where: str, said: str, resolved: Resolved) -> str:
    if "REMOTE HOST IDENTIFICATION HAS CHANGED" in said:
        return (
            f"{where} has another SSH host key than the one in known_hosts: it was "
            f"reinstalled, or another machine answers in its place; compare the key "
            f"with the host's own, then correct known_hosts"
        )
    return (
        f"the SSH host key of {where} is not in known_hosts, and unknown keys are "
        f"refused; compare the key with the host's own, then add it: {_keyscan(node, resolved)}"
    )


def endpoint(node: Node, resolved: Resolved) -> str:
    """Return the address and port that ssh goes to in the end."""
    port = next(iter(resolved.get("port", ())), "22")
    address = next(iter(resolved.get("hostname", ())), node.address)
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _way(resolved: Resolved) -> str:
    for option in ("proxyjump", "proxycommand"):
        for value in resolved.get(option, ()):
            if value != "none":
                return f" (through {value})"
    return ""


def _keyscan(node: Node, resolved: Resolved) -> str:
    port = next(iter(resolved.get("port", ())), "22")
    given = "" if port == "22" else f" -p {port}"
    address = next(iter(resolved.get("hostname", ())), node.address)
    return f"ssh-keyscan{given} {address}"


def _not_accepted(node: Node, where: str, refused: "re.Match[str]", resolved: Resolved) -> str:
    user = refused.group(1).rpartition("@")[0] or node.user or "of this machine"
    keys = [Path(one).expanduser() for one in resolved.get("identityfile", ())]
    there = [key for key in keys if key.is_file()]
    locked = [str(key) for key in there if _has_passphrase(key)]
    begin = f"{where} does not accept user {user}{_way(resolved)}"
    if node.ssh_password:
        return f"{begin} with the password in ansible_password; check both"
    if node.key_file and node.key_file not in there:
        return (
            f"{begin}: the key {node.key_file} isn't there; correct ansible_ssh_private_key_file, "
            "or put the key there"
        )
    if locked:
        return (
            f"{begin}: the key {', '.join(locked)} has a passphrase, and ssh-agent "
            f"doesn't have the key; run ssh-add {locked[0]}"
        )
    if not there and not _agent_has_keys():
        return (
            f"{begin}: there is no key to log in with; set ansible_ssh_private_key_file, "
            "or add a key to ssh-agent with ssh-add"
        )
    tried = f" with {', '.join(map(str, there))}" if there else " with the keys of ssh-agent"
    return (
        f"{begin}{tried}; check ansible_user and ansible_ssh_private_key_file, and "
        "authorized_keys on the host"
    )


def _has_passphrase(key: Path) -> bool:
    command = ["ssh-keygen", "-y", "-P", "", "-f", str(key)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    return told.returncode != 0 and "passphrase" in told.stderr


def _agent_has_keys() -> bool:
    return subprocess.run(["ssh-add", "-l"], capture_output=True, check=False).returncode == 0


def resolved(node: Node) -> dict[str, list[str]]:
    """Return what OpenSSH makes of its configuration for a node: option → values."""
    if not node.ssh:
        return {}
    command = [node.ssh[0], "-G", *node.ssh[1:], node.address]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    found: dict[str, list[str]] = {}
    for line in told.stdout.splitlines():
        name, _, value = line.partition(" ")
        found.setdefault(name, []).append(value)
    return found
