"""A user's mistakes: each one sentence, the right exit code, and nothing left running."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadgen.simulators import hello
from tests.certificates import make_certificate
from tests.local.conftest import Runner
from tests.servers import serving


def usage_error(loadgen: Runner, *arguments: str) -> str:
    """Run to a usage error; return its text after looking that nothing was started."""
    code, run = loadgen.finish(*arguments)
    assert code == 2, run.output
    assert "Traceback" not in run.output
    assert not (run.results / "latest").is_symlink()
    assert not list(run.results.glob("2*")), "a run directory was left"
    return run.output


def test_too_many_users_for_the_workers_are_refused(loadgen: Runner) -> None:
    assert "at most 20,000" in usage_error(loadgen, "--users", "900000", "--workers", "2")


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("import locust\ndef broken(:\n", "SyntaxError: invalid syntax"),
    ],
)
def test_locustfile_that_cannot_be_used_is_named(
    loadgen: Runner, source: str, sentence: str
) -> None:
    (loadgen.tmp_path / "bad.py").write_text(source)

    output = usage_error(loadgen, "-f", "bad.py")

    assert "--locustfile bad.py can't be used" in output
    assert sentence in output


def test_missing_locustfile_is_named(loadgen: Runner) -> None:
    assert "--locustfile nowhere.py was not found" in usage_error(loadgen, "-f", "nowhere.py")


def test_unknown_user_class_names_the_known_ones(loadgen: Runner) -> None:
    output = usage_error(loadgen, "--user-classes", "Nobody")

    assert "has no User class Nobody: its User classes are HelloUser" in output


def test_locustfile_that_fails_on_one_worker_only_ends_the_run(loadgen: Runner) -> None:
    (loadgen.tmp_path / "one.py").write_text(
        "import pathlib, sys\n"
        "from locust import HttpUser, task\n"
        "if '--worker' in sys.argv:\n"
        "    try:\n"
        "        pathlib.Path('taken').touch(exist_ok=False)\n"
        "    except FileExistsError:\n"
        "        raise RuntimeError('no account left for me')\n"
        "class Someone(HttpUser):\n"
        "    @task\n"
        "    def ask(self): self.client.get('/')\n"
    )

    code, run = loadgen.finish("-f", "one.py", "--workers", "2", "--run-time", "3s")

    assert code == 4, run.output
    assert "ended with exit 1" in run.output
    assert "RuntimeError: no account left for me" in run.output


def test_unreachable_host_is_an_error_of_the_target(loadgen: Runner) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        code, run = loadgen.finish("--host", url)

    assert code == 4, run.output
    assert f"the target {url} did not answer: connection refused" in run.output


def test_host_with_a_bad_certificate_is_named_as_that(loadgen: Runner, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    with serving(hello.build(seed=1), certificate, key) as url:
        code, run = loadgen.finish("--host", url)

    assert code == 4, run.output
    assert f"the certificate of {url} can't be trusted" in run.output
    assert "--insecure-target" in run.output


@pytest.mark.parametrize("option", ["--web-port", "--master-bind-port", "--exporter-port"])
def test_port_in_use_names_port_and_holder(loadgen: Runner, option: str) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        output = usage_error(loadgen, option, str(port))

    assert f"port {port} of 127.0.0.1 is in use" in output
    assert f"process {os.getpid()}" in output


def test_two_runs_at_once_are_refused(loadgen: Runner) -> None:
    first = loadgen.start("--users", "1", "--run-time", "100s", "--workers", "1")
    first.wait_for("Loading")

    code, second = loadgen.finish(results=first.results)

    assert code == 2, second.output
    assert "another run is under way" in second.output
    first.interrupt()
    assert first.wait() == 130, first.output


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB, where this machine lets us mount one."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_full_results_directory_is_refused(loadgen: Runner, small_disk: Path) -> None:
    code, run = loadgen.finish(results=small_disk)

    assert code == 2, run.output
    assert "has 1 MiB free, but a run needs at least 32 MiB" in run.output


def test_read_only_results_directory_is_refused(loadgen: Runner, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    code, run = loadgen.finish(results=small_disk)

    assert code == 2, run.output
    assert "can't be written (Read-only file system)" in run.output
