"""What differs on RHEL 8, on the lab's RHEL-like hosts: docs/platforms.md says what they are."""

import json
import re
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.fleet import (
    ADDRESSES,
    INVENTORY,
    PROJECT,
    Loadgen,
    await_idle,
    changed,
    deploy,
    flat,
    lab,
    make,
    on_host,
)

# What the lab's thin packages leave, and real ones don't: no scriptlet disables chrony, none of
# Python's bytecode is theirs, and semanage keeps its memory where the policy would be.
THIN = re.compile(r"chrony|/ensurepip/__pycache__|/var/lib/selinux")
# But for logs, caches and what package managers note of their own work.
LISTING = r"""
set +e
find / -xdev -regextype posix-extended \
  -regex '/(dev|home|proc|root|run|srv|sys|tmp)|/var/(cache|log|tmp)|/var/lib/(dnf|rpm|systemd)' \
  -prune -o -printf '%M %u %g %p %l\n' | sort
find /run -maxdepth 1 -name 'loadgen*'
getent passwd | sort
getent group | sort
rpm --query --all --queryformat '%{NAME}\n' | sort
systemctl list-unit-files --no-legend --no-pager | sort
ss --tcp --listening --numeric --no-header | awk '{print $4}' | sort
nft list ruleset
firewall-cmd --list-all-policies
firewall-cmd --list-all-zones
grep --only-matching '"[0-9]*"' /var/lib/selinux/semanage.json
sysctl --all | grep -E '^net\.(core|ipv4)\.' | grep -v -E 'random|inode|nr_|netdev' | sort
"""
BARE = "-e removal_packages=true"
GRAFANA = "-e grafana_source=package -e grafana_admin_password=lab-password-1"

pytestmark = pytest.mark.usefixtures("deployed")


def test_the_hosts_are_as_hard_as_a_hardened_minimal_rhel() -> None:
    said = on_host(
        "worker1",
        """
set +e
umask
command -v tar
findmnt --noheadings --output OPTIONS /tmp | grep -o noexec
findmnt --noheadings --output OPTIONS /var/tmp | grep -o noexec
echo $https_proxy
/usr/libexec/platform-python -c 'import selinux' 2>&1 | tail -1
/usr/libexec/platform-python -c 'import sys; print(sys.version_info[:2])'
systemctl --version | head -1 | cut -d' ' -f2
""",
    )
    lines = said.splitlines()
    assert lines[:3] == ["0077", "noexec", "noexec"]
    assert lines[3].startswith("http://127.0.0.1:")
    assert "No module named" in lines[4]
    assert lines[5:] == ["(3, 6)", "247"]


def test_what_a_strict_umask_would_close_is_open_to_the_runs_user() -> None:
    look = "find -L /opt/loadgen/venv /opt/loadgen/current -maxdepth 3 -printf '%p\\n' | head -500"
    can = f"for path in $({look}); do sudo -u loadgen test -r $path || echo $path; done"
    for host in ("master1", "worker1"):
        assert on_host(host, can) == ""


def test_grafana_of_appstreams_shape_runs_and_answers_the_operators_through_firewalld() -> None:
    try:
        make("deploy", options=GRAFANA)
        assert set(changed(make("deploy", options=GRAFANA)).values()) == {0}
        assert "/usr/sbin/grafana-server --homepath" in on_host(
            "monitor1", "systemctl show --property=ExecStart loadgen-grafana.service"
        )
        rules = on_host("monitor1", "firewall-cmd --policy=loadgen --list-rich-rules")
        assert 'port port="3000" protocol="tcp" accept' in rules
        context = ssl.create_default_context(cafile=str(INVENTORY / ".secrets/ca/ca.pem"))
        url = f"https://{ADDRESSES['monitor1']}:3000/api/health"
        with urllib.request.urlopen(url, timeout=10, context=context) as answer:
            assert json.load(answer)["database"] == "ok"
    finally:
        on_host("monitor1", "systemctl disable --quiet --now loadgen-grafana.service || true")
        deploy()


def test_a_node_exporter_as_old_as_epels_is_refused_in_a_sentence() -> None:
    said = flat(make("deploy", options="-e node_exporter_source=package", code=2))
    assert re.search(
        r"/usr/bin/node_exporter is version 1\.1\.2, and the lowest .* is 1\.5\.0", said
    )
    assert "node_exporter_source: archive" in said
    deploy()


def test_a_package_that_no_repository_has_is_named_with_where_it_is() -> None:
    given = "-e grafana_source=package -e grafana_admin_password=lab-password-1"
    said = flat(make("deploy", options=f"{given} -e grafana_package=grafana-none", code=2))
    assert "monitor1 needs the packages grafana-none and its package manager says" in said
    assert "AppStream" in said


@pytest.fixture
def own_things_of_the_site() -> Iterator[None]:
    """New hosts, but for a rule that the site never saved and a label of its own."""
    # Tests before this one may have left packages, which a teardown leaves by default.
    lab("down")
    subprocess.run(["make", "lab"], cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
    on_host("monitor1", "firewall-cmd --add-port=12345/tcp")
    on_host("master1", "dnf --quiet --assumeyes install policycoreutils-python-utils")
    on_host("master1", "semanage port --add --type http_port_t --proto tcp 9646")
    yield
    on_host("monitor1", "firewall-cmd --reload")
    on_host("master1", "semanage port --delete --proto tcp 9646 || true")
    deploy()


@pytest.mark.usefixtures("own_things_of_the_site")
def test_the_whole_path_gives_a_site_back_what_it_had_and_no_more(tmp_path: Path) -> None:
    before = listings()
    assert "python3.11" not in before["worker1"]
    deploy()
    assert (
        "python3.11" in on_host("worker1", "rpm --query --all --queryformat '%{NAME}\\n'").split()
    )
    assert "12345/tcp" in on_host("monitor1", "firewall-cmd --list-ports")
    with urllib.request.urlopen("http://10.77.0.31:8000/_state.json", timeout=10) as answer:
        assert answer.status == 200
    labels = on_host("master1", "semanage port --list --locallist")
    assert re.search(r"http_port_t +tcp +(8089, 9646|9646, 8089)", labels)
    assert set(changed(make("deploy")).values()) == {0}
    make("verify")
    loadgen = Loadgen(tmp_path / "results")
    for verb in ("rotate", "teardown"):
        await_idle(loadgen)
        code, said = loadgen("run", "--users", "6", "--run-time", "4s")
        assert (code, loadgen.summary["verdict"]) == (0, "passed"), said
        make(verb, options=BARE if verb == "teardown" else "")
    assert listings() == before


def test_an_iptables_service_in_force_is_named() -> None:
    unit = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n"
    on_host(
        "master1",
        f"printf '{unit}' >/run/systemd/system/iptables.service; systemctl start iptables.service",
    )
    try:
        said = flat(make("deploy", code=2))
        assert "iptables.service is in force on master1" in said
        assert "8089, 5557, 9646" in said
    finally:
        on_host("master1", "systemctl stop iptables; rm /run/systemd/system/iptables.service")


def listings() -> dict[str, list[str]]:
    """Return what a deploy could leave on RHEL-like hosts: with users, ports, labels, packages."""
    found = {host: on_host(host, LISTING) for host in ("master1", "worker1", "monitor1")}
    return {
        host: [line for line in text.splitlines() if not THIN.search(line)]
        for host, text in found.items()
    }


def test_oracle_linux_keeps_its_platform_python() -> None:
    swap = "sed -i 's/^ID=.*/ID=\"{}\"/' /usr/lib/os-release"
    on_host("worker1", swap.format("ol"))
    try:
        said = make("deploy")
        assert set(changed(said).values()) == {0}, said[-9000:]
    finally:
        on_host("worker1", swap.format("rhel"))
