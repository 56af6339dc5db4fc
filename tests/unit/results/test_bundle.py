import json
import os
import zipfile
from pathlib import Path

import pytest

from loadgen.cluster.scenario import find_scenario
from loadgen.results.bundle import export_run, import_run
from loadgen.results.kept import keep, kept_fields
from loadgen.shared.errors import UsageError
from loadgen.specification.run import specify
from tests.unit.samples import summary


@pytest.fixture
def run(tmp_path: Path) -> Path:
    home = tmp_path / "mine"
    home.mkdir()
    (home / "locustfile.py").write_text("import helper\nPIN = 'no secret'\n")
    (home / "helper.py").write_text("URL = 'https://me:hunter2@shop.example/'\n")
    (home / ".env").write_text("X=hidden")
    (home / "server.key").write_text("PRIVATE")
    (home / "results").mkdir()
    (home / "results" / "big.csv").write_text("old")
    directory = tmp_path / "results" / summary().run_id
    directory.mkdir(parents=True)
    asked = {"locustfile": str(home / "locustfile.py"), "users": 3, "secrets": ["TOKEN"]}
    specification = specify(asked)
    origin = keep(directory, specification, find_scenario([str(home / "locustfile.py")]))
    (directory / "scenario" / "server.key").write_text("PRIVATE")
    made = summary().model_copy(
        update={"origin": origin, "specification": specification.model_dump(mode="json")}
    )
    (directory / "summary.json").write_text(made.model_dump_json())
    (directory / "master.log").write_text("asked with token t0ps3cret\n")
    return directory


def test_a_run_keeps_its_scenario_without_caches_and_hidden_files(run: Path) -> None:
    kept = {str(p.relative_to(run / "scenario")) for p in (run / "scenario").rglob("*")}
    assert {"locustfile.py", "helper.py"} <= kept
    assert not {".env", "results"} & kept
    fields = kept_fields(run)
    assert fields["locustfile"] == str(run.resolve() / "scenario" / "locustfile.py")
    assert fields["users"] == 3
    assert "spawn_rate" not in fields


def test_what_others_cant_read_they_cant_read_in_a_run_or_its_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.umask(0o022)
    try:
        project = tmp_path / "project"
        project.mkdir()
        for name, mode in (("locustfile.py", 0o644), ("customers.csv", 0o600)):
            (project / name).write_text("x = 1\n")
            (project / name).chmod(mode)
        monkeypatch.chdir(tmp_path)
        run = tmp_path / "run"
        run.mkdir()
        specification = specify({"locustfile": str(project / "locustfile.py")})
        keep(run, specification, find_scenario(specification.locustfiles))
        (run / "summary.json").write_text(summary().model_dump_json())
        export_run(run, tmp_path / "run.zip", {})
    finally:
        os.umask(before)

    kept = {path.name: path.stat().st_mode & 0o777 for path in (run / "scenario").iterdir()}
    assert kept == {"locustfile.py": 0o644, "customers.csv": 0o600}
    assert (tmp_path / "run.zip").stat().st_mode & 0o777 == 0o600


def test_an_export_has_its_metadata_and_no_secrets(run: Path, tmp_path: Path) -> None:
    left_out = export_run(run, tmp_path / "run.zip", {"TOKEN": "t0ps3cret"})
    assert left_out == ["scenario/server.key"]
    with zipfile.ZipFile(tmp_path / "run.zip") as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
        crate = json.loads(archive.read("ro-crate-metadata.json"))
        assert archive.read("CITATION.cff").startswith(b'cff-version: "1.2.0"')
    for secret in (b"hunter2", b"t0ps3cret", b"PRIVATE"):
        assert secret not in everything
    graph = {part["@id"]: part for part in crate["@graph"]}
    assert graph["ro-crate-metadata.json"]["about"] == {"@id": "./"}
    assert {"@id": "summary.json"} in graph["./"]["hasPart"]


def test_an_imported_run_can_be_repeated(run: Path, tmp_path: Path) -> None:
    export_run(run, tmp_path / "run.zip", {})
    other = tmp_path / "other"
    directory = import_run(tmp_path / "run.zip", other)
    assert directory == other / run.name
    assert Path(kept_fields(directory)["locustfile"]).is_file()
    with pytest.raises(UsageError, match="exists already"):
        import_run(tmp_path / "run.zip", other)


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "a/../../outside", "..\\outside"])
def test_an_archive_that_leads_out_of_the_run_is_refused(
    run: Path, tmp_path: Path, name: str
) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("summary.json", (run / "summary.json").read_text())
        archive.writestr(name, "x")
    with pytest.raises(UsageError, match="whose path leads outside the run's directory"):
        import_run(tmp_path / "bad.zip", tmp_path / "other")
    assert not (tmp_path / "outside").exists()


def test_a_file_that_is_no_export_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_text("no")
    with pytest.raises(UsageError, match="is not an exported run"):
        import_run(tmp_path / "no.zip", tmp_path)
    with pytest.raises(UsageError, match="No such file"):
        import_run(tmp_path / "absent.zip", tmp_path)


def test_a_run_id_that_is_a_path_is_refused(run: Path, tmp_path: Path) -> None:
    text = (run / "summary.json").read_text().replace(run.name, "../evil")
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("summary.json", text)
    with pytest.raises(UsageError, match="is not a valid run id"):
        import_run(tmp_path / "bad.zip", tmp_path / "other")


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"locustfile": 5}', '{"locustfile": "/etc/passwd"}']
)
def test_a_run_without_a_whole_kept_scenario_is_named(run: Path, text: str) -> None:
    (run / "specification.json").write_text(text)
    with pytest.raises(UsageError, match=r"contains no run that|lacks files"):
        kept_fields(run)
