"""What a taken-over host sends or keeps: nothing gets out of its place, nothing fills the disk."""

import contextlib
import gzip
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.fleet import agent_files, agent_scenarios, collecting
from loadgen.fleet.requests import Take
from loadgen.node.settings import NodeSettings
from loadgen.shared.errors import OperationError
from loadgen.shared.run_ids import SPECIFICATION_FILE
from tests.faults.record import Outcome
from tests.unit.playbooks.modules import run_module

PART = "Attackers: names and files"
RUN = "20260102T030405Z-shop-1a2b"
NAMES = [
    "results/../../escaped", "../escaped", "/escaped", "results//../escaped", "logs/../../escaped",
    "results/hosts/master1/forged.log", "results/a/../../escaped", "escaped", ".", "", "results",
    "/etc/escaped", "results/\x1b[2Jescaped", "results/\udc80escaped", "results/a\nescaped",
    "other/escaped", "results/..", "results/\u202eescaped", "results/.git/config",
    "results/a/.GIT/config", "results/HEAD", "results/bare/head", "logs/.envrc", "results/.hg/hgrc",
    "results/.vscode/tasks.json", "results/.",
]  # fmt: skip


def packed(*members: tuple[tarfile.TarInfo, bytes]) -> io.BytesIO:
    """Return a gzipped tar of members as they are given."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        for member, content in members:
            archive.addfile(member, io.BytesIO(content))
    made.seek(0)
    return made


def member(
    name: str, content: bytes = b"x", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    made.size = len(content) if kind == tarfile.REGTYPE else 0
    return made


def files(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if not path.is_dir()}


@pytest.mark.fault(
    PART,
    "The archive of a worker host contains links, devices, `../` paths and another host's files.",
)
def test_only_a_hosts_own_plain_files_are_kept(tmp_path: Path, outcome: Outcome) -> None:
    run = tmp_path / "results" / "run"
    run.mkdir(parents=True)
    (run / "summary.json").write_text("ours")
    secret = tmp_path / "secret"
    secret.write_text("secret")
    kinds = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
    strange = [member(f"results/k{n}", b"", kind, str(secret)) for n, kind in enumerate(kinds)]
    through = [member("results/way", b"", tarfile.SYMTYPE, "../.."), member("results/way/escaped")]
    named = [member(name) for name in NAMES]
    good = [
        member("logs/unit.log"),
        member("results/requests/w.parquet"),
        member("results/summary.json"),
    ]
    content = packed(*((one, b"x" * one.size) for one in [*strange, *named, *through, *good]))

    collecting.unpack(content, run, "worker1", into_run=False)

    own = "results/run/hosts/worker1"
    kept = {"unit.log", "requests/w.parquet", "summary.json", "way/escaped"}
    assert files(tmp_path) == {
        "secret",
        "results/run/summary.json",
        *(f"{own}/{one}" for one in kept),
    }
    assert (run / "summary.json").read_text() == "ours"
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))
    outcome(
        f"{len(strange) + len(NAMES) + 1} entries of the archive are refused; the others are "
        "written below hosts/worker1/."
    )


@pytest.mark.fault(PART, "A host sends a Git repository with a command in its configuration.")
def test_a_repository_from_a_host_is_none(tmp_path: Path, outcome: Outcome) -> None:
    if not shutil.which("git"):
        pytest.skip("there is no git here to be led astray")
    run, mark = tmp_path / "run", tmp_path / "carried-out"
    parts = {
        "HEAD": b"ref: refs/heads/main\n", "objects/x": b"", "refs/x": b"",
        "config": f'[core]\nbare = false\nworktree = .\nfsmonitor = "touch {mark}"\n'.encode(),
    }  # fmt: skip
    for place in (".git/", "sub/.git/", "", "bare/"):
        sent = packed(*((member(f"results/{place}{n}", c), c) for n, c in parts.items()))
        collecting.unpack(sent, run, "worker1", into_run=False)
    for directory in [run, *(path for path in run.rglob("*") if path.is_dir())]:
        subprocess.run(["git", "status"], cwd=directory, capture_output=True, check=False)
    assert not mark.exists()
    outcome(
        "The files that make it a repository are left out, so `git status` does not run the "
        "command."
    )


def test_the_masters_results_are_the_runs(tmp_path: Path) -> None:
    names = ("locust_stats.csv", "locust.html", "metrics.prom", "requests/w-1.parquet")
    named = [member(f"results/{name}") for name in (*names, "hosts/w/forged")]
    content = packed(*((one, b"x") for one in named))
    collecting.unpack(content, tmp_path, "master1", into_run=True)
    assert files(tmp_path) == set(names)


@pytest.mark.fault(
    PART, "The archive of the master contains files with the names of the controller's own files."
)
def test_a_master_writes_nothing_that_is_the_controllers(tmp_path: Path, outcome: Outcome) -> None:
    kept = {
        "specification.json": '{"locustfile": "scenario/locustfile.py"}',
        "scenario/locustfile.py": "ours",
        "summary.json": "ours",
        ".fleet": "ours",
    }
    for name, text in kept.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    others = ("journal.jsonl", "report.html", "requests/../x.parquet", "requests/a/b.parquet",
              "ro-crate-metadata.json", "latest", "logs/forged.log", "stats.csv")  # fmt: skip
    sent = [member(f"results/{name}") for name in (*kept, *others)]
    collecting.unpack(packed(*((one, b"x") for one in sent)), tmp_path, "master1", into_run=True)
    ours = {name for name in files(tmp_path) if not name.startswith("hosts/master1/")}
    assert ours == set(kept)
    assert {name: (tmp_path / name).read_text() for name in kept} == kept
    outcome(
        "These files are written below hosts/master1/, and the controller's own files are "
        "unchanged."
    )


def sparse() -> io.BytesIO:
    """A file of eight exabytes in a few hundred bytes."""
    info = member("results/sparse")
    info.pax_headers = {
        "GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.size": str(2**62),
        "GNU.sparse.map": "0,1", "GNU.sparse.name": "results/sparse",
    }  # fmt: skip
    return packed((info, b"x"))


def swelling_header() -> io.BytesIO:
    """A header of a gigabyte, a megabyte when packed."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 1 << 30
    made = io.BytesIO()
    with gzip.GzipFile(fileobj=made, mode="wb", compresslevel=1) as stream:
        stream.write(info.tobuf())
        for _ in range(64):
            stream.write(bytes(1 << 20))
    made.seek(0)
    return made


def endless_sparse_list() -> io.BytesIO:
    """A list of the pieces of a sparse file, 2 MB of it, in some kilobytes."""
    info = member("results/sparse")
    count = 1 << 19
    content = b"%d\n" % count + b"1\n" * (2 * count)
    info.size = len(content)
    info.pax_headers = {
        "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9",
        "GNU.sparse.name": "results/sparse",
    }  # fmt: skip
    made = io.BytesIO()
    with gzip.GzipFile(fileobj=made, mode="wb", compresslevel=1) as stream:
        stream.write(info.tobuf(tarfile.PAX_FORMAT))
        stream.write(content.ljust(-(-len(content) // 512) * 512 + 1024, b"\0"))
    made.seek(0)
    return made


@pytest.mark.fault(
    PART, "A worker host sends archive bombs: zeros, many files, sparse files, a huge header."
)
def test_bombs_are_refused_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: Outcome
) -> None:
    monkeypatch.setattr(collecting, "BYTES_MAX", 8 << 20)
    monkeypatch.setattr(collecting, "FILES_MAX", 50)
    zeros = packed((member("results/zeros", bytes(9 << 20)), bytes(9 << 20)))
    many = packed(*((member(f"results/{n}"), b"x") for n in range(60)))
    for bomb in (zeros, many, swelling_header(), endless_sparse_list()):
        with pytest.raises(OperationError) as refused:
            collecting.unpack(bomb, tmp_path, "worker1", into_run=False)
        assert "worker1" in str(refused.value)
        assert "\n" not in str(refused.value)
    collecting.unpack(sparse(), tmp_path, "worker1", into_run=False)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*")) < 9 << 20
    monkeypatch.setattr(collecting, "MINIMUM_FREE_BYTES", 1 << 62)
    with pytest.raises(OperationError, match=r"MiB free\. Make room there"):
        collecting.unpack(packed((member("results/a"), b"x")), tmp_path, "worker1", into_run=False)
    outcome(
        "Each archive is refused with a one-sentence error, and less than the size limit is "
        "written."
    )


WHOLE = packed(
    (member("results/requests/" + "n" * 120, b"y" * 3000), b"y" * 3000),
    (member("logs/a.log"), b"x"),
).getvalue()
INSIDE = gzip.decompress(WHOLE)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A tar with some bytes changed, before or after it was packed, and cut somewhere."""
    before = draw(st.booleans())
    content = bytearray(INSIDE if before else WHOLE)
    for _ in range(draw(st.integers(1, 8))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    content = content[: draw(st.integers(0, len(content)))] if draw(st.booleans()) else content
    return gzip.compress(bytes(content), 1) if before else bytes(content)


@given(damaged() | st.binary(max_size=600))
def test_a_damaged_archive_is_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    directory = tmp_path_factory.mktemp("collected")
    with contextlib.suppress(OperationError):
        collecting.unpack(io.BytesIO(content), directory, "worker1", into_run=False)
    assert all(one.startswith("hosts/worker1/") for one in files(directory))


def nest(place: Path, depth: int) -> None:
    """Make directories in each other, deeper than a path can say, and a file in the last."""
    # Whoever else this process is just now need not reach the project by its path.
    here = os.open(".", os.O_PATH)
    place.mkdir()
    try:
        os.chdir(place)
        for _ in range(depth):
            Path("d").mkdir()
            os.chdir("d")
        Path("file").touch()
    finally:
        os.fchdir(here)
        os.close(here)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's agent becomes the runs' user")
@pytest.mark.fault(
    PART, "A locustfile leaves 3,000 nested directories, a sparse file of 1 TiB, and too much data."
)
def test_what_a_run_keeps_is_packed_and_removed_whatever_its_shape(
    open_directory: Path, monkeypatch: pytest.MonkeyPatch, outcome: Outcome
) -> None:
    monkeypatch.setattr(agent_files, "USER", "nobody")
    monkeypatch.setattr(agent_files, "RUNS", open_directory / "runs")
    run = open_directory / "runs" / RUN
    run.parent.mkdir()
    shutil.chown(run.parent, "nobody")

    def packed_names() -> list[str]:
        sent = io.BytesIO()
        with tarfile.open(fileobj=sent, mode="w") as archive:
            agent_files.add_results(archive, run)
        sent.seek(0)
        with tarfile.open(fileobj=sent) as archive:
            return sorted(archive.getnames())

    with agent_files.as_owner():
        run.mkdir()
        nest(run / "nested", 3000)
        (run / "stats.csv").write_text("x")
    assert packed_names() == ["results/stats.csv"]

    monkeypatch.setattr(agent_files, "COLLECTED_FILES_MAX", 5)
    for size, files_made, directories in ((1 << 40, 0, 0), (1, 9, 0), (1, 0, 9)):
        with agent_files.as_owner():
            os.truncate(run / "stats.csv", size)
            for number in range(files_made):
                (run / f"file{number}").touch()
            for number in range(directories):
                (run / f"directory{number}").mkdir()
        with pytest.raises(OperationError, match="has more than") as refused:
            packed_names()
        assert "\n" not in str(refused.value)
        with agent_files.as_owner():
            (run / "stats.csv").write_text("x")
            for path in run.glob("file*"):
                path.unlink()

    agent_files.remove(RUN)
    assert list(run.parent.iterdir()) == []
    with agent_files.as_owner():
        nest(run.parent / "run.json", 3000)
    agent_files.discard(run.parent / "run.json")
    with agent_files.as_owner():
        nest(run.parent / "again", 3000)
    answer = run_module("absent_trees", paths=[str(run.parent), str(run)])
    assert answer["changed"], answer
    assert not run.parent.exists()
    assert not run_module("absent_trees", paths=[str(run.parent)])["changed"]
    outcome(
        "The agent packs these files or refuses them with an error; agent and teardown can "
        "remove them."
    )


@pytest.mark.skipif(
    os.geteuid() != 0, reason="links are planted as another user, so root is needed"
)
@pytest.mark.fault(
    PART, "The user `loadgen` creates links where the agent, which runs as root, reads and writes."
)
def test_planted_links_lead_root_nowhere(
    open_directory: Path, monkeypatch: pytest.MonkeyPatch, outcome: Outcome
) -> None:
    monkeypatch.setattr(agent_files, "USER", "nobody")
    tmp_path = open_directory
    roots = tmp_path / "roots"
    roots.mkdir()
    secret = roots / "secret"
    secret.write_text("root's own")
    secret.chmod(0o600)
    state = tmp_path / "state"
    state.mkdir()
    shutil.chown(state, "nobody")
    with agent_files.as_owner():
        (state / "runs").symlink_to(roots)
        (state / "run").mkdir()
        for name in (SPECIFICATION_FILE, "metrics.prom", "requests"):
            (state / "run" / name).symlink_to(secret)

    with pytest.raises(PermissionError):
        agent_files.make_results(state / "runs" / "new", "{}")
    agent_files.make_results(state / "run", "{}")
    with pytest.raises(FileExistsError):
        agent_files.create(state / "run" / "requests", "{}")
    assert agent_files.read_kept(state / "run" / SPECIFICATION_FILE) == "{}"
    with pytest.raises(OperationError):
        agent_files.read_kept(state / "run" / "metrics.prom")
    sent = io.BytesIO()
    with tarfile.open(fileobj=sent, mode="w") as archive:
        agent_files.add_results(archive, state / "run")

    assert b"root's own" not in sent.getvalue()
    assert secret.read_text() == "root's own"
    assert roots.stat().st_uid == 0
    assert os.geteuid() == 0
    assert set(files(roots)) == {"secret"}
    outcome("The agent reads, writes and sends none of root's files.")


@pytest.mark.fault(
    PART, "A locustfile tries to change the scenarios and packages that later runs load."
)
def test_a_later_runs_scenario_cant_be_changed(
    open_directory: Path, monkeypatch: pytest.MonkeyPatch, outcome: Outcome
) -> None:
    monkeypatch.setattr(agent_files, "USER", "nobody")
    home = open_directory / "scenarios"
    state = open_directory / "state"
    state.mkdir()
    shutil.chown(state, "nobody")
    for name, place in (("SCENARIOS", home), ("PACKAGES", home), ("HASHES", home / "hashes.json")):
        monkeypatch.setattr(agent_scenarios, name, place)
    node = NodeSettings(
        name="n", release_directory=home, keys_directory=home, state_directory=state
    )
    with agent_files.as_owner():
        os.mkfifo(state / "run.json")
        (state / "idle.json").symlink_to("/etc/shadow")
    content = packed((member("locustfile.py"), b"x"))
    sha256 = fingerprint_of({"locustfile.py": b"x"})
    before = os.umask(0o077)
    try:
        agent_scenarios.take(node, Take(kind="scenario", sha256=sha256, bytes=9), content)
    finally:
        os.umask(before)
    kept = home / sha256 / "locustfile.py"

    with agent_files.as_owner():
        assert kept.read_bytes() == b"x"
        for change in (
            lambda: kept.write_bytes(b"evil"),
            kept.unlink,
            lambda: kept.parent.rename(home / "aside"),
            lambda: (home / "hashes.json").write_text("{}"),
            lambda: (kept.parent / "usercustomize.py").write_text(""),
        ):
            with pytest.raises(PermissionError):
                change()
    assert agent_scenarios.has_scenario(sha256)
    outcome("The locustfile can read these files, but can't change, add, move or remove any.")


def fingerprint_of(contents: dict[str, bytes]) -> str:
    lines = (
        f"{name}\0file\0{hashlib.sha256(content).hexdigest()}\n"
        for name, content in sorted(contents.items())
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()
