"""A changed `grafana_admin_password` reaches a Grafana whose database knows another one.

Grafana itself can't be had here: a stand-in answers as it does, over TLS and with its login, and
its `cli` changes the database. The role's own tasks speak to both.
"""

import base64
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.certificates import Authority
from tests.faults.record import Outcome
from tests.unit.playbooks.roles import ROLES

PART = "Attackers: secrets"
FORMER, WANTED = "the-former-password", "a new 'password' {{ 7 }}"
CLI = """#!/bin/sh
# As grafana-cli: the last word says that the first line of the input is the password.
for word; do last=$word; done
test "$last" = --password-from-stdin && IFS= read -r password
printf %s "$password" > "$(dirname "$0")/database"
echo "$@" >> "$(dirname "$0")/asked"
"""
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the role becomes Grafana's user")


@pytest.fixture
def grafana(tmp_path: Path) -> Iterator[int]:
    """Serve what asks for the password of the database; return the port."""
    cli = tmp_path / "grafana-cli"
    cli.write_text(CLI)
    cli.chmod(0o755)
    (tmp_path / "database").write_text(FORMER)

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            held = base64.b64encode(f"admin:{(tmp_path / 'database').read_text()}".encode())
            admitted = self.headers["Authorization"] == f"Basic {held.decode()}"
            self.send_response(200 if admitted else 401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    tls = tmp_path / "tls"
    tls.mkdir()
    certificate, key = Authority(tls, "ca").issue("grafana")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def converge(directory: Path, port: int) -> str:
    """Carry out the role's tasks on the password; return Ansible's own count."""
    tasks = yaml.safe_load((ROLES / "grafana/tasks/service.yml").read_text())[-2:]
    assert all("grafana_admin_password is in force" in task["name"] for task in tasks)
    given: dict[str, Any] = {
        "fleet_address": "127.0.0.1", "grafana_port": port, "grafana_admin_password": "unsafe",
        "_prometheus_configuration": str(directory), "_grafana_user": "root",
        "_grafana_cli": [str(directory / "grafana-cli")], "_grafana_home": "/home/of/grafana",
        "_grafana_configuration": str(directory), "ansible_python_interpreter": sys.executable,
    }  # fmt: skip
    page = yaml.safe_dump(
        [{"hosts": "localhost", "gather_facts": False, "vars": given, "tasks": tasks}]
    )
    (directory / "page.yml").write_text(
        page.replace(
            "grafana_admin_password: unsafe", f"grafana_admin_password: !unsafe {WANTED!r}"
        )
    )
    program = Path(sys.executable).with_name("ansible-playbook")
    ended = subprocess.run(
        [program, "-v", "-i", "localhost,", "-c", "local", directory / "page.yml"],
        capture_output=True, text=True, timeout=240, check=False, cwd=directory,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert WANTED not in ended.stdout + ended.stderr
    return ended.stdout.splitlines()[-2]


@pytest.mark.fault(
    PART, "grafana_admin_password is changed after Grafana has created its database."
)
def test_a_changed_password_reaches_the_database(
    tmp_path: Path, grafana: int, outcome: Outcome
) -> None:
    assert "changed=1" in converge(tmp_path, grafana)
    assert (tmp_path / "database").read_text() == WANTED
    asked = (tmp_path / "asked").read_text()
    assert WANTED not in asked
    assert asked.endswith(" admin reset-admin-password --password-from-stdin\n")

    assert "changed=0" in converge(tmp_path, grafana)
    assert (tmp_path / "asked").read_text() == asked
    outcome(
        "The next deploy sets the password through standard input; a further deploy changes "
        "nothing."
    )
