"""Where Ansible connects, the kit connects: real sshds on loopback, both side by side."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loadgen.fleet.connections import openssh, ssh
from loadgen.fleet.connections.openssh import Connection
from loadgen.fleet.connections.ssh import Outcomes, Remote, on_all
from loadgen.fleet.inventory import Inventory, load_inventory
from loadgen.shared.errors import OperationError
from tests.unit.fleet.sshds import Sshds, make_key, sshds
from tests.waiting import await_

PROJECT = Path(__file__).resolve().parents[3]
ECHO = ["sh", "-c", "printf 'in:'; cat"]

CONNECTIONS = (
    *("port_and_key", "legacy_names", "one_hop", "two_hops", "hop_by_alias", "proxy_command"),
    *("host_key_alias", "match_block", "match_exec", "agent", "certificate", "host_certificate"),
    *("upper_case_name", "ipv6", "extra_args", "ssh_args", "alias", "options_of_a_terminal"),
    *("include", "local", "inventory_hostname", "other_hosts_variable", "quiet_sudo"),
    *("asking_sudo", "quiet_sudo_and_password", "no_become", "become_user"),
)
REFUSED = {
    "no_such_key": "the key /nowhere/key isn't there; correct ansible_ssh_private_key_file",
    "locked_key": "locked has a passphrase, and ssh-agent doesn't have the key; run ssh-add ",
    "stranger": "does not accept user USER with DIRECTORY/stranger; check ansible_user",
    "no_key": "there is no key to log in with; set ansible_ssh_private_key_file, or add a key",
    "unknown_host": "is not in known_hosts, and unknown keys are refused; compare the key "
    "with the host's own, then add it: ssh-keyscan -p TARGET 127.0.0.1",
    "changed_host": "has another SSH host key than the one in known_hosts",
    "no_name": "the name nowhere.invalid can't be resolved",
    "nobody": "no SSH connection to 127.0.0.1:1: connection refused",
    "bastion_refuses": "administratively prohibited: open failed (through [127.0.0.1]:FIRST)",
    "bad_option": "OpenSSH refuses its own configuration",
    "no_sudo_password": "can't become root on that host (sudo: a password is required)",
    "wrong_sudo_password": "sudo refuses the password in ansible_become_password",
}


def hosts(found: Sshds) -> dict[str, dict[str, Any]]:
    """Inventory variables of a host for each way of connecting, and for each that fails."""
    config = found.path("config")
    here = {"ansible_host": "127.0.0.1", "ansible_port": found.target}
    key = {"ansible_ssh_private_key_file": str(found.path("key"))}
    base = {**here, **key, "ansible_ssh_common_args": found.known}
    hop = f"127.0.0.1:{found.first}"
    # A jump host's own login takes its options from the configuration, never from the command line.
    by_config = f"-F {config}"

    def by(arguments: str, **more: object) -> dict[str, Any]:
        return {**base, "ansible_ssh_common_args": arguments, **more}

    quiet = {"ansible_become_exe": str(found.path("sudo_quiet"))}
    asking = {"ansible_become_exe": str(found.path("sudo_asking"))}
    password = {"ansible_become_password": "{{ vault_sudo }}"}
    return {
        "port_and_key": base,
        "legacy_names": {
            "ansible_ssh_host": "127.0.0.1",
            "ansible_ssh_port": found.target,
            "ansible_ssh_user": found.user,
            **key,
            "ansible_ssh_common_args": found.known,
        },
        "one_hop": by(f"{by_config} -J 127.0.0.1:{found.second}"),
        "two_hops": by(f"{by_config} -J {hop},127.0.0.1:{found.second}"),
        "hop_by_alias": by(by_config, ansible_host="behind-alias"),
        "proxy_command": by(
            f'{found.known} -o ProxyCommand="ssh -F {config} -W %h:%p 127.0.0.1 -p {found.second}"'
        ),
        "host_key_alias": by(f"{found.known} -o HostKeyAlias=fleet-target"),
        "match_block": by(by_config, ansible_host="matched"),
        "match_exec": by(by_config, ansible_host="computed"),
        "agent": {
            **here,
            "ansible_ssh_common_args": f"{found.known} -o IdentityAgent={found.agent}",
        },
        "certificate": {**base, "ansible_ssh_private_key_file": str(found.path("certified"))},
        "host_certificate": by(found.trusting("authority known")),
        "upper_case_name": {**base, "ansible_host": "LocalHost"},
        "ipv6": {**base, "ansible_host": "::1"},
        "extra_args": {**here, **key, "ansible_ssh_extra_args": found.known},
        "ssh_args": {**here, **key, "ansible_ssh_args": found.known},
        "alias": {"ansible_host": "plain-alias", "ansible_ssh_common_args": by_config},
        "options_of_a_terminal": by(by_config, ansible_host="terminal"),
        "include": by(f"-F {found.path('including')}", ansible_host="plain-alias"),
        "local": {"ansible_connection": "local"},
        "inventory_hostname": by(by_config, ansible_host="{{ inventory_hostname }}.fleet.test"),
        "other_hosts_variable": {
            **base,
            "ansible_port": "{{ hostvars[groups['master'][0]].ansible_port }}",
        },
        "quiet_sudo": {**base, **quiet},
        "asking_sudo": {**base, **asking, **password},
        "quiet_sudo_and_password": {**base, **quiet, **password},
        "no_become": {**base, "ansible_become": False, "ansible_become_exe": "/nowhere"},
        "become_user": {**base, **quiet, "ansible_become_user": "root"},
        "no_such_key": {**base, "ansible_ssh_private_key_file": "/nowhere/key"},
        "locked_key": {**base, "ansible_ssh_private_key_file": str(found.path("locked"))},
        "stranger": {**base, "ansible_ssh_private_key_file": str(found.path("stranger"))},
        "no_key": {**here, "ansible_ssh_common_args": f"{found.known} -o IdentityFile=/nowhere/id"},
        "unknown_host": by("-o UserKnownHostsFile=/dev/null"),
        "changed_host": by(found.trusting("changed known")),
        "no_name": {**base, "ansible_host": "nowhere.invalid"},
        "nobody": {**base, "ansible_port": 1},
        "bastion_refuses": by(f"{by_config} -J 127.0.0.1:{found.first}"),
        "bad_option": by("-o Nonsense=yes"),
        "no_sudo_password": {**base, **asking},
        "wrong_sudo_password": {**base, **asking, "ansible_become_password": "{{ vault_wrong }}"},
    }


def write_files(found: Sshds) -> None:
    target = f"  HostName 127.0.0.1\n  Port {found.target}\n  IdentityFile {found.path('key')}\n"
    found.path("config").write_text(
        f'UserKnownHostsFile "{found.path("known hosts")}"\nIdentityFile {found.path("key")}\n'
        f"Host bastion\n  HostName 127.0.0.1\n  Port {found.second}\n"
        f"Host behind-alias\n{target}  ProxyJump bastion\n"
        f"Host plain-alias\n{target}"
        f"Host terminal\n{target}  RequestTTY force\n  LocalForward 1 [::1]:1\n"
        f"Match host matched,*.fleet.test\n{target}"
        f'Match originalhost computed exec "test %n = computed"\n{target}'
    )
    found.path("including").write_text(f"Include {found.path('config')}\n")
    make_key(found.path("other"))
    place = f"[127.0.0.1]:{found.target}"
    other = found.path("other.pub").read_text()
    found.path("changed known").write_text(f"{place} {other}")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshds]:
    with sshds(tmp_path_factory.mktemp("ssh")) as running:
        write_files(running)
        yield running


@pytest.fixture(scope="module")
def inventory(found: Sshds) -> Path:
    quiet = {"ansible_become_exe": str(found.path("sudo_quiet"))}
    workers = {name: {**quiet, **variables} for name, variables in hosts(found).items()}
    master = {"m": hosts(found)["port_and_key"]}
    content = {
        "all": {
            "vars": {"vault_sudo": "s3cret", "vault_wrong": "guess", "ansible_user": found.user},
            "children": {"master": {"hosts": master}, "workers": {"hosts": workers}},
        }
    }
    path = found.path("hosts.yml")
    path.write_text(json.dumps(content))
    return path


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[None]:
    """No agent but those that are given; the user of the tests may become himself by sudo."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SSH_AUTH_SOCK", raising=False)
        patch.setenv("ANSIBLE_BECOME_ALLOW_SAME_USER", "true")
        yield


@pytest.fixture(scope="module")
def fleet(inventory: Path) -> Inventory:
    return load_inventory(inventory)


@pytest.fixture(scope="module")
def reached_by_ansible(inventory: Path) -> set[str]:
    """Hosts on which Ansible ran a command as root."""
    program = str(Path(sys.executable).with_name("ansible"))
    command = [program, "workers", "-i", str(inventory), "-b", "-o", "-m", "raw", "-a", "echo here"]
    # Hosts of one address would share a connection, and with it each other's faults.
    own = {
        "ANSIBLE_SSH_ARGS": "-o ControlMaster=no",
        "ANSIBLE_FORKS": "10",
        "ANSIBLE_TIMEOUT": "60",
    }
    told = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
        env={**os.environ, **own},
        timeout=120,
    ).stdout
    return set(re.findall(r"^(\w+) \| CHANGED.*here", told, re.M))


@pytest.fixture(scope="module", autouse=True)
def time_for_a_busy_machine() -> Iterator[None]:
    """Let logins take a minute: all hosts are this machine, and are asked at the same time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openssh, "HOLDING", ("ConnectTimeout=60", *openssh.HOLDING[1:]))
        patch.setattr(openssh, "LOGIN_SECONDS", 100.0)
        yield


@pytest.fixture(scope="module")
def outcomes(fleet: Inventory) -> Outcomes[bytes]:
    """What the kit's own command brought from each host."""
    remotes = {node.name: Remote(node) for node in fleet.workers}
    try:
        return on_all(remotes, lambda remote: remote.run(ECHO, b"{}"))
    finally:
        for remote in remotes.values():
            remote.close()


@pytest.mark.parametrize("way", ["port_and_key", "local", "asking_sudo"])
def test_one_agent_answers_every_request_of_a_connection(
    fleet: Inventory, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = 'n=0; while read -r verb rest; do n=$((n + 1)); echo "$n $verb"; done'
    monkeypatch.setattr(ssh, "AGENT", ["sh", "-c", counting])
    remote = remote_to(fleet, way)
    try:
        assert [remote.ask(b"one {}\n", 20.0), remote.ask(b"two {}\n", 20.0)] == [
            b"1 one\n",
            b"2 two\n",
        ]
        with pytest.raises(OperationError, match="sent nothing for 0 s"):
            remote.ask(b"", 0.2)
        # After a fault it is a fresh one, so that no answer is another request's.
        assert remote.ask(b"three {}\n", 20.0) == b"1 three\n"
    finally:
        remote.close()


def test_an_agent_that_has_ended_is_started_again(
    fleet: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "AGENT", ["sh", "-c", "read -r line; echo $line; exit 0"])
    remote = remote_to(fleet, "port_and_key")
    try:
        assert remote.ask(b"one\n", 20.0) == b"one\n"
        await_(lambda: remote._agent and remote._agent.is_over, "the end of the agent")
        assert remote.ask(b"two\n", 20.0) == b"two\n"
        monkeypatch.setattr(ssh, "AGENT", ["sh", "-c", "echo it has no room >&2; exit 3"])
        remote.close()
        with pytest.raises(OperationError, match="it has no room"):
            remote.ask(b"three\n", 20.0)
    finally:
        remote.close()


def remote_to(fleet: Inventory, name: str) -> Remote:
    return Remote(next(node for node in fleet.workers if node.name == name))


@pytest.mark.parametrize("way", CONNECTIONS)
def test_the_kit_connects_where_ansible_connects(
    way: str, outcomes: Outcomes[bytes], reached_by_ansible: set[str]
) -> None:
    assert way in reached_by_ansible
    # The input arrives whole and alone: no password in it, whoever asks.
    assert (outcomes.faults.get(way), outcomes.answers.get(way)) == (None, b"in:{}")


@pytest.mark.parametrize("way", REFUSED)
def test_a_connection_that_fails_says_why_and_what_to_do(
    way: str, outcomes: Outcomes[bytes], found: Sshds, reached_by_ansible: set[str]
) -> None:
    assert way not in reached_by_ansible
    sentence = REFUSED[way].replace("DIRECTORY", str(found.directory))
    sentence = sentence.replace("USER", found.user).replace("TARGET", str(found.target))
    sentence = sentence.replace("FIRST", str(found.first))
    assert sentence in outcomes.faults[way]
    assert "\n" not in outcomes.faults[way]


@pytest.mark.parametrize("way", ["asking_sudo", "quiet_sudo_and_password"])
def test_much_input_arrives_while_output_comes_back(way: str, fleet: Inventory) -> None:
    remote = remote_to(fleet, way)
    content = os.urandom(1 << 20)
    assert remote.run(ECHO, content) == b"in:" + content
    remote.close()


def test_who_is_root_already_does_not_become_root(
    inventory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANSIBLE_BECOME_ALLOW_SAME_USER")
    text = inventory.read_text().replace('become_user": "root"', 'become_user": "nobody"')
    changed = inventory.with_name("root.yml")
    changed.write_text(re.sub('"ansible_user": "[^"]*"', '"ansible_user": "root"', text))
    fleet = load_inventory(changed)
    assert "sudo" not in remote_to(fleet, "quiet_sudo").node.start
    assert "sudo" in remote_to(fleet, "become_user").node.start


def test_every_way_is_listed(found: Sshds) -> None:
    assert set(hosts(found)) == {*CONNECTIONS, *REFUSED}


def test_fabric_drives_a_connection_that_openssh_carries(fleet: Inventory) -> None:
    with Connection(remote_to(fleet, "two_hops").node) as connection:
        told = connection.run(
            "echo out; echo err >&2; exit 3", hide=True, warn=True, in_stream=False
        )
        assert (told.stdout, told.stderr, told.exited) == ("out\n", "err\n", 3)


def test_a_command_that_fails_says_its_last_line(fleet: Inventory) -> None:
    remote = remote_to(fleet, "asking_sudo")
    with pytest.raises(OperationError, match=r"^last$"):
        remote.run(["sh", "-c", "echo first >&2; echo last >&2; exit 1"])
    remote.close()


def test_a_silent_command_is_given_up(fleet: Inventory) -> None:
    remote = remote_to(fleet, "port_and_key")
    with pytest.raises(OperationError, match="sent nothing for 0 s"):
        remote.run(["sleep", "60"], timeout=0.3)
    assert remote.run(ECHO) == b"in:"
    remote.close()


def test_a_connection_that_broke_is_made_again(fleet: Inventory) -> None:
    remote = remote_to(fleet, "port_and_key")
    assert remote.run(ECHO) == b"in:"
    master = remote._connection.master
    assert master
    master.kill()
    master.wait()
    assert remote.run(ECHO) == b"in:"
    remote.close()


def test_nothing_is_left_after_a_connection(fleet: Inventory) -> None:
    remote = remote_to(fleet, "one_hop")
    remote.open()
    master, directory = remote._connection.master, remote._connection.directory
    assert master
    assert directory
    remote.close()
    assert master.poll() is not None
    assert not directory.exists()


def test_no_secret_is_shown(fleet: Inventory) -> None:
    node = remote_to(fleet, "asking_sudo").node
    assert node.become_password == "s3cret"
    assert "s3cret" not in repr(fleet)
    assert "s3cret" not in node.start + " ".join(node.ssh)
