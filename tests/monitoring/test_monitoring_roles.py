"""What the roles write for a fleet's Prometheus and Grafana, read by the real ones' own rules."""

import base64
import json
import re
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
import yaml

from loadgen.watch import monitoring
from loadgen.watch.prometheus_files import write_rules
from tests.certificates import Authority
from tests.monitoring.cluster import ROOT
from tests.ports import free_port
from tests.unit.playbooks.roles import ROLES, evaluate, render
from tests.waiting import await_

pytestmark = pytest.mark.usefixtures("prometheus_package")

HOST = "monitor1"
OFF_LOOPBACK = "127.0.0.2"
"""To the role any address but 127.0.0.1 and ::1 can be reached from elsewhere."""
TEMPLATES = ROLES / "prometheus" / "templates" / "etc" / "loadgen-prometheus"
DATASOURCE = ROLES / "grafana/templates/etc/loadgen-grafana/provisioning/datasources/loadgen.yml.j2"
ENVIRONMENT = ROLES / "grafana/templates/etc/loadgen-grafana/environment.j2"


def variables(directory: Path, **more: Any) -> dict[str, Any]:
    return {
        "fleet_secrets_directory": str(directory / "secrets"),
        "fleet_address": "192.0.2.9",
        "inventory_dir": "/sites/north",
        "_prometheus_configuration": str(directory),
        "_certificates_ca": str(directory / "tls" / "ca.pem"),
        "hostvars": {name: {"fleet_address": "192.0.2.1"} for name in ("master1", "worker1")},
        "grafana_admin_password": "x" * 12,
        "_grafana_configuration": "/etc/loadgen-grafana",
    } | more


def datasource(given: dict[str, Any]) -> dict[str, Any]:
    """Return the provisioned data source, its environment filled in as Grafana does."""
    environment = dict(
        line.split("=", 1) for line in render(ENVIRONMENT, HOST, **given).splitlines()[1:]
    )
    text = render(DATASOURCE, HOST, **given)
    filled = re.sub(r"\$(\w+)", lambda match: environment[match[1]], text)
    (only,) = yaml.safe_load(filled)["datasources"]
    found: dict[str, Any] = only
    return found


def ask(source: dict[str, Any]) -> str | None:
    """Ask Prometheus for something as Grafana's data source would; None while it isn't up."""
    request = urllib.request.Request(f"{source['url']}/api/v1/query?query=42", method="POST")
    context = None
    if source.get("basicAuth"):
        secret = source["secureJsonData"]
        login = f"{source['basicAuthUser']}:{secret['basicAuthPassword']}".encode()
        request.add_header("Authorization", f"Basic {base64.b64encode(login).decode()}")
        context = ssl.create_default_context(cadata=secret["tlsCACert"])
        # Grafana checks the certificate for `serverName`, whatever the address is.
        context.check_hostname = False
        assert source["jsonData"]["tlsAuthWithCACert"] is True
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            return str(json.load(answer)["data"]["result"][1])
    except urllib.error.HTTPError:
        raise
    except urllib.error.URLError:
        return None


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_grafana_gets_into_a_prometheus_that_asks_for_tls_and_a_login(tmp_path: Path) -> None:
    tls = tmp_path / "tls"
    tls.mkdir()
    Authority(tls, "ca", HOST).issue("certificate")[1].rename(tls / "key.pem")
    port = free_port()
    given = variables(
        tmp_path,
        grafana_source="package",
        prometheus_listen_address=OFF_LOOPBACK,
        prometheus_port=port,
        prometheus_users={"operator": "$2b$10$" + "e" * 53},
    )
    web, empty = tmp_path / "web.yml", tmp_path / "prometheus.yml"
    web.write_text(render(TEMPLATES / "web.yml.j2", HOST, **given))
    subprocess.run(["promtool", "check", "web-config", web], check=True, capture_output=True)
    empty.write_text("scrape_configs: []\n")
    command = [
        *("prometheus", f"--config.file={empty}", f"--web.config.file={web}"),
        *(f"--web.listen-address={OFF_LOOPBACK}:{port}", f"--storage.tsdb.path={tmp_path / 'db'}"),
    ]
    source = datasource(given)
    assert source["url"] == f"https://{OFF_LOOPBACK}:{port}"
    assert source["jsonData"]["serverName"] == HOST
    with (tmp_path / "log").open("wb") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        assert await_(lambda: ask(source), "Prometheus behind its login") == "42"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            ask(source | {"basicAuthUser": "operator"})
    finally:
        running.terminate()
        running.wait(20)


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:9090"),
        ("::1", "http://[::1]:9090"),
        ("0.0.0.0", "https://192.0.2.9:9090"),  # noqa: S104 - of a host that isn't this one
        ("::", "https://192.0.2.9:9090"),
        ("192.0.2.10", "https://192.0.2.10:9090"),
    ],
)
def test_the_data_source_asks_where_prometheus_listens(
    tmp_path: Path, listen: str, url: str
) -> None:
    (tmp_path / "tls").mkdir()
    Authority(tmp_path / "tls", "ca")
    given = variables(tmp_path, prometheus_listen_address=listen, grafana_source="archive")
    source = datasource(given)
    assert source["url"] == url
    assert source.get("basicAuth", False) is url.startswith("https")
    assert source["jsonData"]["timeInterval"] == "5s"


@pytest.mark.parametrize("seconds", [5, 15, 60])
@pytest.mark.parametrize("name", ["rules/locust.yml", "alerts/locust.yml"])
def test_a_fleets_rules_are_those_of_one_machine_but_for_the_runbooks_place(
    tmp_path: Path, seconds: int, name: str
) -> None:
    text = evaluate(
        f"_prometheus_{name.partition('/')[0]}",
        HOST,
        prometheus_scrape_interval_seconds=seconds,
        prometheus_runbook_url="https://wiki.example/runbook",
        _prometheus_exporter=str(ROOT / "exporter"),
    )
    write_rules(ROOT / "exporter", tmp_path, seconds)
    local = (tmp_path / name.replace("/", "-")).read_text()
    runbook = f"file://{ROOT / 'exporter' / 'runbook.md'}"
    assert text.strip() == local.replace(runbook, "https://wiki.example/runbook").strip()
    if name.startswith("alerts"):
        assert "https://wiki.example/runbook#locustmasterdown" in text


def test_the_runbook_is_a_whole_address_by_itself() -> None:
    assert evaluate("_prometheus_runbook", HOST) == "file:///etc/loadgen-prometheus/runbook.md"


def test_every_metric_of_a_fleet_carries_its_name(tmp_path: Path) -> None:
    given = variables(
        tmp_path,
        prometheus_target_scrapes=["[2001:db8::9]:9187"],
        hostvars={
            name: {"fleet_address": "192.0.2.1", "node_exporter_source": "package"}
            for name in ("master1", "worker1")
        },
    )
    config = tmp_path / "prometheus.yml"
    for name in ("ca", "certificate", "key"):
        (tmp_path / "tls").mkdir(exist_ok=True)
        (tmp_path / "tls" / f"{name}.pem").touch()
    text = render(TEMPLATES / "prometheus.yml.j2", HOST, **given)
    config.write_text(text)
    subprocess.run(
        ["promtool", "check", "config", "--syntax-only", config], check=True, capture_output=True
    )
    statics = [
        static for job in yaml.safe_load(text)["scrape_configs"] for static in job["static_configs"]
    ]
    assert {one["labels"]["fleet"] for one in statics if one["targets"]} == {"north"}
    assert statics[-1]["labels"]["host"] == "2001:db8::9"


def test_alerts_get_to_a_webhook_by_the_routes_that_are_written(tmp_path: Path) -> None:
    """Debian's Alertmanager reads the file and sends what it is given, a critical alert at once."""
    subprocess.run([ROOT / "tests" / "install-packages", "prometheus-alertmanager"], check=True)
    heard: SimpleQueue[dict[str, Any]] = SimpleQueue()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with serving(Hook) as address:
        given = variables(
            tmp_path,
            prometheus_alert_webhook_url=f"{address}/alerts",
            prometheus_alert_slack_url=f"{address}/slack",
        )
        routes, port = tmp_path / "alertmanager.yml", free_port()
        routes.write_text(render(TEMPLATES / "alertmanager.yml.j2", HOST, **given))
        command = [
            "prometheus-alertmanager",
            f"--config.file={routes}",
            "--cluster.listen-address=",
        ]
        command += [f"--web.listen-address=127.0.0.1:{port}", f"--storage.path={tmp_path}"]
        with monitoring.process("Alertmanager", command, tmp_path / "log", port, {}, "/-/ready"):
            labels = {"alertname": "LocustWorkerLost", "severity": "critical", "fleet": "north"}
            alert = {"labels": labels, "annotations": {"summary": "1 worker went missing."}}
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/api/v2/alerts",
                data=json.dumps([alert]).encode(),
                headers={"Content-Type": "application/json"},
            )
            urllib.request.urlopen(request, timeout=10).close()
            bodies = [heard.get(timeout=20), heard.get(timeout=20)]
    (plain,) = [body for body in bodies if "alerts" in body]
    (slack,) = [body for body in bodies if "alerts" not in body]
    assert plain["alerts"][0]["labels"] == labels
    assert "1 worker went missing." in json.dumps(slack)
    assert "FIRING LocustWorkerLost north" in json.dumps(slack)
