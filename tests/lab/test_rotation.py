"""New keys and certificates for a fleet: it goes on working, and the old keys open nothing."""

from tests.lab.fleet import Loadgen, await_idle, make, on_host
from tests.lab.web import Browser
from tests.lab.worker_port import answers, key_pair

HOSTS = ("master1", "worker1", "worker2", "worker3")
CERTIFICATE = "sha256sum </etc/loadgen/tls/certificate.pem"


def test_rotation_keeps_the_fleet_and_shuts_former_keys_out(loadgen: Loadgen) -> None:
    former = {name: key_pair(name) for name in HOSTS}
    certificate = on_host("master1", CERTIFICATE)
    assert answers("worker1", former["master1"][0], former["worker1"]) > 0
    make("rotate")

    present = {name: key_pair(name) for name in HOSTS}
    assert all(present[name] != former[name] for name in HOSTS)
    assert on_host("master1", CERTIFICATE) != certificate
    assert answers("worker1", present["master1"][0], former["worker1"]) == 0
    assert Browser().log_in() == "/"
    await_idle(loadgen)
    code, said = loadgen("run", "--users", "6", "--run-time", "4s")
    assert code == 0, said
    assert loadgen.summary["workers"] == {"expected": 6, "seen": 6, "lost": 0}
