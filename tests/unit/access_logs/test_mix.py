"""`loadgen mix`: what it makes of good logs, and says of bad ones."""

import ast
import gzip
import os
import random
import subprocess
import sys
import time
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from loadgen.access_logs import traffic as counting
from loadgen.access_logs import writer
from loadgen.access_logs.lines import Hit
from loadgen.access_logs.traffic import Traffic
from loadgen.cli.main import main
from loadgen.cluster.inspection import look_at
from loadgen.scenario.shapes.rates import read_points
from loadgen.shared.project import PROJECT
from loadgen.specification.experiment import load_experiment

BEGIN = 1791640536


def line(second: float, path: str = "/", client: str = "192.0.2.1", **other: object) -> str:
    clock = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(BEGIN + second))
    asked = f"{other.get('method', 'GET')} {path} HTTP/1.1"
    return f'{client} - - [{clock}] "{asked}" {other.get("status", 200)} 5 "-" "Fox"\n'


def mix(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["mix", *map(str, arguments)])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def visits() -> list[str]:
    """A hundred visits of three pages, 10 s apart, one begun each second."""
    lines = []
    for visit in range(100):
        for page in range(3):
            path = f"/items/{visit}" if page else "/?q=x&access_token=s3cret&email=ann"
            lines.append((visit + 10.0 * page, path, f"192.0.2.{visit}"))
    return [line(*one) for one in sorted(lines)]


def test_a_mix_has_routes_visits_pauses_and_the_profile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "access.log"
    noise = [line(50, "/cart", method="POST"), line(51, "/gone", status=404), "broken\n"]
    log.write_text("".join([*visits(), *noise]))
    made = tmp_path / "made" / "shop.py"
    assert mix(log, "--output", made, "--factor", "2", "--host", "https://Test.example:443/") == 0
    said, source = capsys.readouterr().out, made.read_text()
    assert "read 303 lines: 300 requests on 2 routes, 100 visits of 3.0 requests" in said
    assert "pauses of 10 s (median) between requests" in said
    assert "66.7%  GET /items/{id}" in said
    assert "left out: POST /cart: 1 (0.3%)" in said
    assert "left out: answered 4xx: 1 (0.3%)" in said
    assert "left out: 1 lines that could not be read" in said
    assert "because they may be secret: access_token, email" in said
    assert "(factor 2)" in said
    for secret in ("s3cret", "ann", "192.0.2"):
        assert secret not in source + said
    profile = read_points(made.with_suffix(".csv"))
    middle = [rate for seconds, rate in profile if 30 < seconds < 90]
    assert sum(middle) / len(middle) == pytest.approx(2, rel=0.1)
    experiment = load_experiment(made.with_suffix(".yml"), {})
    assert (experiment.host, experiment.run_time) == ("https://test.example", 120)
    for check in (["check"], ["format", "--check"]):
        house = ["--config", str(PROJECT / "pyproject.toml"), str(made)]
        subprocess.run([sys.executable, "-m", "ruff", *check, *house], check=True, timeout=30)
    found = look_at([str(made)], os.environ)
    assert (found.error, list(found.user_classes), found.shapes) == (
        None,
        ["Shop"],
        ["ArrivalShape"],
    )


def test_several_files_are_read_in_the_order_of_time_gzip_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = visits()
    newer, older = tmp_path / "access.log", tmp_path / "access.log.1.gz"
    newer.write_text("".join(lines[150:]))
    older.write_bytes(gzip.compress("".join(lines[:150]).encode()))
    assert mix(newer, older, "--output", tmp_path / "made.py") == 0
    assert "300 requests on 2 routes, 100 visits of 3.0 requests" in capsys.readouterr().out


def test_a_truncated_gzip_is_read_as_far_as_it_goes_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = random.Random(1)
    whole = [line(one, f"/{draw.random()}") for one in range(5000)]
    log = tmp_path / "access.log.gz"
    log.write_bytes(gzip.compress("".join(whole).encode())[:-20_000])
    assert mix(log, "--output", tmp_path / "made.py") == 0
    assert "is cut off: its compressed data ends after line" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b"\x1f\x8b", "is compressed, but it can't be decompressed"),
        (b"a line\n1,2\n", "line 1 is 'a line', but each line of a log must have"),
        (b"\x1b[31mred\n", "line 1 is '\\\\x1b[31mred'"),
        (line(0, "/a", method="POST").encode(), "has nothing to replay: none of its 1 requests is"),
        (None, "No such file"),
    ],
)
def test_what_is_no_access_log_is_refused_in_a_sentence(
    content: bytes | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "other.log"
    if content is not None:
        log.write_bytes(content)
    assert mix(log, "--output", tmp_path / "made.py") == 2
    said = capsys.readouterr().err
    assert words.replace("\\\\", "\\") in said.replace("\\\\", "\\")
    assert said.count("\n") == 1
    assert not (tmp_path / "made.py").exists()


@pytest.mark.parametrize("path", ["/dev/zero", "."])
def test_what_never_ends_is_refused(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert mix(path, "--output", "/nonexistent/made.py") == 2
    assert "is not a regular file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "path",
    [
        '/"""+PWNED+"""', "/{PWNED}", "/'+PWNED+'", "/\\x22PWNED", "/{{PWNED}}", "/{%PWNED%}",
        "/\u2028PWNED", "/%22%0APWNED",
    ],
)  # fmt: skip
def test_nothing_of_a_log_becomes_code(path: str, tmp_path: Path) -> None:
    log, made = tmp_path / "PWNED().log", tmp_path / "made.py"
    lines = [line(0, path), line(1, path, method="POST"), line(2, "/ok")]
    log.write_text("".join(lines), encoding="utf-8")
    assert mix(log, "--output", made) == 0
    tree = ast.parse(made.read_text())
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Name) and "PWN" in node.id]
    assert yaml.safe_load(made.with_suffix(".yml").read_text())["locustfile"] == str(made)


def test_counting_takes_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = {"ROUTES": 50, "EXAMPLES": 5, "CLIENTS": 100, "BINS": 200, "REMEMBERED": 100}
    for name, bound in bounds.items():
        monkeypatch.setattr(counting, f"MOST_{name}", bound)

    def counted(count: int) -> Traffic:
        traffic = Traffic()
        for number in range(count):
            path = f"/{number % 900}x/{number}?q={number}"
            traffic.add(Hit(number * 7.0, f"client {number}", "GET", path, 200))
        return traffic

    counted(1000)
    sizes = []
    for count in (2000, 20_000):
        tracemalloc.start()
        traffic = counted(count)
        sizes.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # Ten times the hits: what grows with them would be ten times as much.
    assert sizes[1] < 2 * sizes[0]
    assert len(traffic.bins) <= 200
    traffic.finish()
    assert traffic.replayed + traffic.left_out.total() == 20_000
    assert traffic.lengths.total() == traffic.clients


def test_the_busiest_hour_is_chosen() -> None:
    traffic = Traffic()
    for number in range(20_000):
        crowded = number >= 12_000
        second = 40_000 + (number - 12_000) * 0.4 if crowded else number * 3.0
        traffic.add(Hit(BEGIN + second, str(number), "GET", "/", 200))
    traffic.finish()
    made = writer.profile(traffic, "hour", 1.0, 1.0)
    assert made.seconds == 3600
    assert made.begins == pytest.approx(BEGIN + 40_000, abs=500)
    assert made.visits == pytest.approx(8_000 + 3_200 / 3 / 8, rel=0.15)


def test_samples_stand_for_their_distribution() -> None:
    values = writer.sample({1: 900, 10: 90, 100: 10})
    assert (values.count(1), values.count(10), values.count(100)) == (90, 9, 1)


def test_session_ids_in_paths_are_taken_out_and_fragments_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "access.log"
    paths = [f"/shop;jsessionid=S3CRET{n}/items;v=1?page={n}#top{n}" for n in range(20)]
    log.write_text("".join(line(n, path) for n, path in enumerate(paths)))
    made = tmp_path / "shop.py"
    assert mix(log, "--output", made) == 0
    said, source = capsys.readouterr().out, made.read_text()
    assert "100.0%  GET /shop/items;v=1" in said
    assert "because they may be secret: jsessionid" in said
    assert "S3CRET" not in source + said
    assert "#top" not in source


@pytest.mark.parametrize("gap", [1, 7, 60])
def test_the_profile_has_as_many_visits_as_the_log(tmp_path: Path, gap: int) -> None:
    log = tmp_path / "access.log"
    log.write_text("".join(line(n * gap, "/a", client=f"10.0.0.{n}") for n in range(40)))
    made = tmp_path / "shop.py"
    assert mix(log, "--output", made) == 0
    points = read_points(made.with_suffix(".csv"))
    drawn = sum((end - start) * (a + b) / 2 for (start, a), (end, b) in pairwise(points))
    assert drawn == pytest.approx(40, rel=1e-3)


SECRET_PATHS = {
    "/reset/3f9a0c1b2d4e5f60718293a4b5c6d7e8f9012345/confirm": "/reset/{hash}/confirm",
    "/activate/MQ/c5d2s1-3f9a0c1b2d4e5f60718293a4b5c6d7e8/": "/activate/{id}/{token}/",
    "/invite/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl": "/invite/{token}",
    "/verify/3fa85f64-5717-4562-b3fc-2c963f66afa6": "/verify/{uuid}",
}


def test_requests_whose_path_has_a_secret_are_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, made = tmp_path / "access.log", tmp_path / "shop.py"
    track = "/track/4uLU6hMCjMI75M1A2tKUQC"
    query = "/file?id=7&sig=Xk29dLq0Zp8vTn3R&h=Xk29dLq0Zp8vTn3RXk29dLq0Zp8vTn3R"
    paths = [*SECRET_PATHS, track, query]
    log.write_text("".join(line(number, path) for number, path in enumerate(paths)))
    assert mix(log, "--output", made) == 0
    said, source = capsys.readouterr().out, made.read_text()
    for path, name in SECRET_PATHS.items():
        assert path not in source + said
        assert f"left out: GET {name}, whose path has a secret: 1 (16.7%)" in said
    assert "/track/{token}" in said
    assert track in source
    assert '"/file?id=7"' in source
    assert "because they may be secret: h, sig" in said
