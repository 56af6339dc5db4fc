"""An audit that could not ask says so, and never passes."""

import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from packaging.version import Version

from tests import audit
from tests.advisories import affects, read
from tests.audit import Package, judge, locked

SOUND: Package = {"name": "a", "version": "1", "vulns": []}
WEAK: Package = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
SKIPPED: Package = {"name": "c", "skip_reason": "not found on PyPI"}


def test_sound_packages_pass() -> None:
    assert judge([SOUND]) == (0, ["1 locked packages, none with a known weakness"])


def test_a_known_weakness_is_named_even_when_others_were_not_looked_up() -> None:
    assert judge([SOUND, WEAK, SKIPPED]) == (1, ["b 2: PYSEC-1, mended in 3"])


def test_what_was_not_looked_up_proves_nothing() -> None:
    cases: tuple[list[Package], ...] = ([SOUND, SKIPPED], [])
    for packages in cases:
        code, lines = judge(packages)
        assert code == 4
        assert "nothing is proven" in lines[0]


RECORD = {
    "id": "PYSEC-2026-1",
    "modified": "2026-11-20T00:00:00Z",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "Locust"},
            "ranges": [
                {
                    "type": "ECOSYSTEM",
                    "events": [{"introduced": "0"}, {"fixed": "1.0"}, {"introduced": "2.0"}],
                }
            ],
            "versions": ["1.5"],
        }
    ],
}


@pytest.mark.parametrize(
    ("version", "weak"), [("0.9", True), ("1.0", False), ("1.5", True), ("1.9", False), ("2", True)]
)
def test_a_version_is_weak_when_listed_or_in_a_range(version: str, weak: bool) -> None:
    assert affects(RECORD["affected"][0], Version(version)) == weak  # type: ignore[arg-type]


def test_a_file_of_advisories_is_used_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = tmp_path / "all.zip"
    with zipfile.ZipFile(export, "w") as made:
        made.writestr("PYSEC-2026-1.json", json.dumps(RECORD))
        made.writestr("other.json", json.dumps({**RECORD, "id": "x", "withdrawn": "2026"}))

    assert audit.main(["--advisories", str(export)]) == 1
    said = capsys.readouterr().err
    assert (
        f"locust {dict(locked('node'))['locust']}: PYSEC-2026-1, mended in no version yet" in said
    )
    assert f"asked: 1 advisories of {export}, the newest of 2026-11-20" in said
    assert read(export).of("locust", "1.2") == []


def test_every_locked_line_is_looked_up() -> None:
    lines = [
        line.split(";")[0].split()[0]
        for line in (audit.REQUIREMENTS / "results.txt").read_text().splitlines()
        if line[:1].isalnum()
    ]

    assert sorted(f"{name}=={version}" for name, version in locked("results")) == sorted(lines)
    assert len(lines) > len(dict(locked("results"))), (
        "no package is locked in two versions any more"
    )


@pytest.mark.parametrize("content", ["", "{}", "[]", "no json", "[" * 100_000])
def test_a_file_without_advisories_proves_nothing(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text(content)

    assert audit.main(["--advisories", str(tmp_path / "file")]) == 4
    assert audit.main(["--advisories", str(tmp_path / "none")]) == 4
    assert "nothing is proven" in capsys.readouterr().err


class Mirror(BaseHTTPRequestHandler):
    """A mirror of OSV's query, which knows one weakness of one package."""

    asked: ClassVar[list[str]] = []
    status: ClassVar[int] = 200
    weak: ClassVar[str] = ""

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert question["package"]["ecosystem"] == "PyPI"
        name = question["package"]["name"]
        self.asked.append(f"{name}=={question['version']}")
        found = {"vulns": [_advisory(name)]} if name == self.weak else {}
        answer = json.dumps(found).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


def _advisory(name: str) -> dict[str, object]:
    events = [{"introduced": "0"}, {"fixed": "9999"}]
    affected = {
        "package": {"ecosystem": "PyPI", "name": name},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
    }
    return {"id": "PYSEC-2026-2", "affected": [affected]}


@contextmanager
def mirrored() -> Iterator[str]:
    """Serve the mirror until the block ends; yields its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/query"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.timeout(60)
def test_a_mirror_is_asked_about_every_package_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit, "ROLES", ("target", "results"))
    monkeypatch.setattr(Mirror, "asked", [])
    packages = sorted(f"{name}=={version}" for name, version in audit.all_locked())
    weak = packages[0].partition("==")[0]
    with mirrored() as mirror:
        assert audit.main(["--advisories", mirror]) == 0
        said = capsys.readouterr().out
        assert f"audit: {len(packages)} locked packages, none with a known weakness" in said
        assert f"asked: the mirror {mirror}" in said
        assert sorted(Mirror.asked) == packages

        monkeypatch.setattr(Mirror, "weak", weak)
        assert audit.main(["--advisories", mirror]) == 1
        said = capsys.readouterr().err
        assert "PYSEC-2026-2, mended in 9999" in said
        assert f"asked: the mirror {mirror}" in said

        monkeypatch.setattr(Mirror, "status", 503)
        assert audit.main(["--advisories", mirror]) == 4
        assert "nothing is proven" in capsys.readouterr().err
