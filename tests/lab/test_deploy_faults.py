"""What goes wrong around a deploy is named with its host and what to do; a rerun mends it."""

import itertools
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.fleet import (
    INVENTORY,
    PROJECT,
    Loadgen,
    await_idle,
    changed,
    flat,
    inventory_with,
    lab,
    make,
    on_host,
    read_until,
    start_make,
)

STATE = Path(os.environ.get("LOADGEN_LAB_STATE", "/var/lib/loadgen-lab"))
APT = "ansible.builtin.apt"
BUSY_SECONDS = 20
BUSY = f"""
apt-get --quiet --assume-yes remove rsync || true
setsid python3 -c '
import fcntl, time
with open("/var/lib/dpkg/lock-frontend", "w") as lock:
    fcntl.lockf(lock, fcntl.LOCK_EX)
    time.sleep({BUSY_SECONDS})
' >/dev/null 2>&1 </dev/null &
sleep 1
"""
STEP = int(os.environ.get("LOADGEN_INTERRUPT_STEP", "8"))
"""Ctrl-C comes at every so many tasks; 1 is every task in turn, and takes an hour."""
OWN_CONNECTIONS = "-o ControlMaster=no -o ControlPath=none"

pytestmark = pytest.mark.usefixtures("deployed")


def root(host: str) -> Path:
    return STATE / "hosts" / host / "root"


def own_connections(hosts: str) -> str:
    """Keep SSH from reusing connections that were opened with the right key."""
    return hosts.replace("-o StrictHost", f"{OWN_CONNECTIONS} -o StrictHost")


def test_a_wrong_ssh_key_is_named(tmp_path: Path) -> None:
    key = tmp_path / "wrong"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    fleet = inventory_with(
        tmp_path / "fleet",
        lambda hosts: own_connections(hosts).replace(
            "{{ inventory_dir }}/.ssh/id_ed25519", str(key)
        ),
    )
    said = make("deploy", inventory=fleet, code=2)
    assert "Permission denied" in said
    assert "check ansible_user and ansible_ssh_private_key_file" in flat(said)


def test_an_unknown_host_key_is_named(tmp_path: Path) -> None:
    known = (INVENTORY / ".ssh/known_hosts").read_text().splitlines()
    fewer = tmp_path / "known_hosts"
    fewer.write_text("\n".join(line for line in known if "10.77.0.22" not in line) + "\n")
    fleet = inventory_with(
        tmp_path / "fleet",
        lambda hosts: own_connections(hosts).replace(
            "{{ inventory_dir }}/.ssh/known_hosts", str(fewer)
        ),
    )
    said = flat(make("deploy", inventory=fleet, code=2))
    assert re.search(r"worker2 \(10\.77\.0\.22\) can't be managed: .*Host key verif", said)
    assert "worker1 (10.77.0.21) can't be managed" not in said


def test_a_user_who_may_not_use_sudo_is_named() -> None:
    rule = root("worker2") / "etc/sudoers.d/deploy"
    content = rule.read_text()
    rule.unlink()
    try:
        said = flat(make("deploy", code=2))
    finally:
        rule.write_text(content)
        rule.chmod(0o440)
    assert re.search(r"worker2 \(10\.77\.0\.22\) can't be managed: .*sudo", said)
    assert "ansible_user must be able to use sudo" in said


@contextmanager
def small_disk(host: str, megabytes: int) -> Iterator[None]:
    on_host(host, f"mount -t tmpfs -o size={megabytes}m none /opt")
    try:
        yield
    finally:
        on_host(host, "umount /opt")


def test_a_full_disk_is_named_before_and_while_it_fills_and_the_rest_goes_on() -> None:
    with small_disk("worker3", 40):
        said = flat(make("deploy", code=2))
        assert re.search(r"worker3 has [\d.]+ MB free below /opt, but a first deploy needs", said)
        said = make("deploy", options="-e preflight_free_space_bytes=1", code=2)
        assert "No space left on device" in said
        assert re.search(r"worker1 +: .*unreachable=0 +failed=0", said)
    make("deploy")


def apt_task(node: object) -> dict[str, Any] | None:
    """Return the task below a node of a role's file that installs packages by apt."""
    if isinstance(node, dict) and APT in node:
        return node
    below = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return next(filter(None, map(apt_task, below)), None)


@pytest.mark.parametrize("tasks", ["packages/tasks/install.yml", "lab_images/tasks/main.yml"])
def test_another_program_that_installs_packages_is_waited_for(tasks: str, tmp_path: Path) -> None:
    """What deploy does on hosts, and `make lab` on its machine: on a host that is busy so."""
    task = apt_task(yaml.safe_load((PROJECT / "playbooks/roles" / tasks).read_text()))
    assert task
    task[APT]["name"] = "rsync"
    task = {name: value for name, value in task.items() if name not in ("when", "environment")}
    play = {"hosts": "worker3", "become": True, "gather_facts": False, "tasks": [task]}
    playbook = tmp_path / "busy.yml"
    playbook.write_text(yaml.safe_dump([play]))
    command = [str(PROJECT / ".venv/bin/ansible-playbook"), "--inventory", str(INVENTORY)]
    on_host("worker3", BUSY)
    done = subprocess.run(
        [*command, str(playbook)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "RETRYING" in done.stdout
    on_host("worker3", "rsync --version; apt-get --quiet --assume-yes remove rsync")


def interrupt_at(task: str) -> None:
    """Start a deploy and press Ctrl-C in that task."""
    running = start_make("deploy")
    read_until(running, re.escape(task))
    os.killpg(running.pid, signal.SIGINT)
    running.communicate(timeout=60)
    assert running.returncode != 0


def test_a_deploy_that_is_interrupted_again_and_again_is_completed_by_the_next() -> None:
    on_host("worker3", "rm -rf /opt/loadgen")
    interrupt_at("release : Ensure that the wheels are unpacked")
    interrupt_at("release : Ensure that the virtual environment holds the locked packages")
    interrupt_at("release : Ensure that the release is unpacked")
    interrupt_at("node : Ensure that the units run with the current configuration")
    make("deploy")
    assert set(changed(make("deploy")).values()) == {0}


def interrupt_after(tasks: int, verb: str) -> bool:
    """Press Ctrl-C as that many tasks have begun; False if the verb had ended well before."""
    running = start_make(verb)
    try:
        read_until(running, *["TASK "] * tasks)
    except AssertionError:
        running.communicate(timeout=10)
        assert running.returncode == 0
        return False
    os.killpg(running.pid, signal.SIGINT)
    running.communicate(timeout=60)
    return True


@pytest.mark.parametrize("verb", ["teardown", "deploy"])
def test_a_verb_that_is_interrupted_at_any_task_is_completed_by_the_next(verb: str) -> None:
    interrupted = itertools.takewhile(
        lambda tasks: interrupt_after(tasks, verb), itertools.count(STEP, STEP)
    )
    assert len(list(interrupted)) > 3
    assert set(changed(make(verb)).values()) == {0}


def test_a_host_that_goes_away_during_a_deploy_is_completed_by_the_next() -> None:
    on_host("worker3", "rm -rf /opt/loadgen")
    running = start_make("deploy")
    try:
        read_until(
            running, "release : Ensure that the virtual environment holds the locked packages"
        )
        lab("stop", "worker3")
        said, _ = running.communicate(timeout=300)
    finally:
        lab("start", "worker3")
    assert running.returncode == 2
    assert re.search(r"worker3 +: .*(unreachable=1|failed=1)", said), said
    assert re.search(r"worker1 +: .*unreachable=0 +failed=0", said), said
    make("deploy")
    assert set(changed(make("deploy")).values()) == {0}


def test_a_node_with_another_release_or_locust_is_named(loadgen: Loadgen) -> None:
    swap = "cd /opt/loadgen; was=$(readlink current); cp -a $was releases/other; ln -sfn "
    on_host("worker1", f"{swap} releases/other current; echo $was > /run/was")
    metadata = "$(ls -d /opt/loadgen/venv/lib/python3*/site-packages/locust-2*.dist-info)/METADATA"
    on_host(
        "worker2",
        f"cp {metadata} /run/metadata; sed -i 's/^Version: .*/Version: 2.0.1/' {metadata}",
    )
    try:
        code, said = loadgen("run", "--run-time", "2s")
    finally:
        on_host(
            "worker1",
            "ln -sfn $(cat /run/was) /opt/loadgen/current; rm -r /opt/loadgen/releases/other",
        )
        on_host("worker2", f"cp /run/metadata {metadata}")
    assert code == 4
    assert re.search(r"worker1: has release other, this machine has [0-9a-f]{12}; run", said), said
    assert "worker2: has Locust 2.0.1, this machine has" in said, said
    assert "worker3:" not in said


def test_an_expired_certificate_is_named_and_deploy_renews_it(loadgen: Loadgen) -> None:
    tls = "/etc/loadgen/tls"
    expire = (
        f"openssl x509 -in {tls}/certificate.pem -signkey {tls}/key.pem -days -1 -out /run/c.pem"
    )
    on_host("master1", f"{expire} && cat /run/c.pem > {tls}/certificate.pem")
    code, said = loadgen("run", "--run-time", "2s")
    assert code == 4
    assert re.search(r"master1: the web UI's certificate is valid from \S+ to \S+, and today", said)
    assert changed(make("deploy"))["master1"] > 0
    await_idle(loadgen)


def test_one_worker_process_a_host_and_a_certificate_of_the_site(
    loadgen: Loadgen, tmp_path: Path
) -> None:
    site = "/etc/pki/tls/certs/site"
    # As OpenSSL 1.1.1 can, which RHEL 8 has.
    make_own = f"""
mkdir -p {site}; cd {site}
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=site
openssl req -newkey rsa:2048 -nodes -keyout privkey.pem -out request.pem -subj /CN=master1
printf subjectAltName=DNS:master1,IP:10.77.0.11 >names
openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
  -extfile names -out cert.pem
"""
    on_host("master1", make_own)
    given = {
        "node_workers": 1,
        "certificates_source": "site",
        "certificates_site_certificate": f"{site}/cert.pem",
        "certificates_site_ca": f"{site}/ca.pem",
        "certificates_site_key": f"{site}/privkey.pem",
    }
    options = " ".join(f"-e {name}={value}" for name, value in given.items())
    try:
        said = flat(make("deploy", options=f"{options}-typo", code=2))
        assert f"master1 has no file {site}/privkey.pem-typo, which certificates_site_key" in said
        # Its last part logs in under the site's CA.
        make("deploy", options=options)
        code, said = loadgen("run", "--users", "6", "--run-time", "4s")
        assert code == 0, said
        assert loadgen.summary["workers"] == {"expected": 3, "seen": 3, "lost": 0}
        shown = "openssl s_client -connect 10.77.0.11:8089 -CAfile {0}/ca.pem </dev/null"
        assert "Verify return code: 0 (ok)" in on_host("master1", shown.format(site))
    finally:
        make("deploy")
        on_host("master1", f"rm -r {site}")
    await_idle(Loadgen(tmp_path / "after"))
