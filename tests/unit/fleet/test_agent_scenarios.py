"""What a node takes in: what was announced and named, and nothing with a way out."""

import contextlib
import hashlib
import io
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from loadgen.cluster import scenario as scenarios
from loadgen.cluster.scenario import Scenario, find_scenario
from loadgen.fleet import agent_files, agent_scenarios
from loadgen.fleet.requests import Give, Take
from loadgen.node.settings import NodeSettings, RunSettings
from loadgen.shared.errors import OperationError
from loadgen.shared.project import PROJECT
from loadgen.shared.run_ids import RunId

DAY = 86400.0


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NodeSettings:
    monkeypatch.setattr(agent_files, "as_owner", contextlib.nullcontext)
    monkeypatch.setattr(agent_files, "share", lambda _: None)
    monkeypatch.setattr(agent_scenarios, "SCENARIOS", tmp_path / "state" / "scenarios")
    monkeypatch.setattr(agent_scenarios, "PACKAGES", tmp_path / "state" / "packages")
    monkeypatch.setattr(agent_scenarios, "HASHES", tmp_path / "state" / "hashes.json")
    monkeypatch.setattr(scenarios, "cache_directory", lambda: tmp_path / "cache")
    state = tmp_path / "run"
    state.mkdir()
    return NodeSettings(
        name="n", release_directory=PROJECT, keys_directory=state, state_directory=state
    )


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    shop = tmp_path / "shop"
    (shop / "data").mkdir(parents=True)
    (shop / "locustfile.py").write_text("from locust import User\n")
    (shop / "data" / "rows.csv").write_text("1\n2\n")
    (shop / "link").symlink_to("data/rows.csv")
    return find_scenario([str(shop / "locustfile.py")])


def take(node: NodeSettings, packed: bytes, sha256: str, size: int = 1 << 20) -> None:
    request = Take(kind="scenario", sha256=sha256, bytes=size)
    agent_scenarios.take(node, request, io.BytesIO(packed))


def packed(scenario: Scenario) -> bytes:
    file = io.BytesIO()
    scenario.pack(file)
    return file.getvalue()


def test_what_comes_is_put_in_its_place_with_narrow_modes(
    node: NodeSettings, scenario: Scenario
) -> None:
    name = scenario.fingerprint()
    assert not agent_scenarios.has_scenario(name)
    take(node, packed(scenario), name, scenario.listing.bytes)
    place = agent_scenarios.SCENARIOS / name
    assert agent_scenarios.has_scenario(name)
    assert (place / "link").readlink() == Path("data/rows.csv")
    files = [path for path in place.rglob("*") if not path.is_symlink()]
    assert {path.stat().st_mode & 0o777 for path in files if path.is_file()} == {0o640}
    assert all(path.stat().st_mode & 0o007 == 0 for path in [place, *files])
    assert [path.name for path in agent_scenarios.SCENARIOS.iterdir()] == [name]


def test_a_copy_that_was_changed_counts_as_absent_and_is_replaced(
    node: NodeSettings, scenario: Scenario
) -> None:
    name = scenario.fingerprint()
    take(node, packed(scenario), name)
    place = agent_scenarios.SCENARIOS / name
    (place / "__pycache__").mkdir()
    (place / "__pycache__" / "x.pyc").write_bytes(b"x")
    assert agent_scenarios.has_scenario(name)
    (place / "data" / "rows.csv").write_text("3\n")
    assert not agent_scenarios.has_scenario(name)
    take(node, packed(scenario), name)
    assert agent_scenarios.has_scenario(name)


def test_a_directory_that_changed_while_it_was_sent_is_refused(
    node: NodeSettings, scenario: Scenario
) -> None:
    with pytest.raises(OperationError, match="the directory changed while it was sent"):
        take(node, packed(scenario), "0" * 64)
    assert not list(agent_scenarios.SCENARIOS.iterdir())


def archive(*infos: tarfile.TarInfo) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as made:
        for info in infos:
            made.addfile(info, io.BytesIO(bytes(info.size)))
    return file.getvalue()


def info(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0
) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, link, size
    return made


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (archive(info("../out")), "must not be part of a scenario"),
        (archive(info("/etc/cron.d/x")), "must not be part of a scenario"),
        (archive(info("a", tarfile.SYMTYPE, "/etc")), "must not be part of a scenario"),
        (archive(info("a", tarfile.SYMTYPE, "../../x")), "must not be part of a scenario"),
        (archive(info("a", tarfile.LNKTYPE, "b")), "must not be part of a scenario"),
        (archive(info("a", tarfile.CHRTYPE)), "must not be part of a scenario"),
        (archive(info("a", size=2000)), "received more data than was announced"),
        (b"no archive", "can't be unpacked"),
        (archive(info("a", size=900))[:40], "can't be unpacked"),
        (b"", "can't be unpacked"),
    ],
    # An archive has the time in it, which differs between processes that share tests.
    ids=[
        "up",
        "absolute",
        "link",
        "long_link",
        "hard_link",
        "device",
        "large",
        "text",
        "cut",
        "none",
    ],
)
def test_what_is_no_scenario_leaves_nothing(
    node: NodeSettings, tmp_path: Path, content: bytes, words: str
) -> None:
    with pytest.raises(OperationError, match=words):
        take(node, content, "0" * 64, size=1000)
    assert not list(agent_scenarios.SCENARIOS.iterdir())
    assert not (tmp_path / "state" / "out").exists()


def test_links_are_made_last_so_that_no_file_goes_through_one(
    node: NodeSettings, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    content = archive(info("way", tarfile.SYMTYPE, "inside"), info("way/file", size=3))
    with pytest.raises((OperationError, FileExistsError)):
        take(node, content, "0" * 64)
    assert not list(agent_scenarios.SCENARIOS.iterdir())


def test_no_link_is_made_beyond_another_one(node: NodeSettings, tmp_path: Path) -> None:
    """Each of these links stays inside by its text; the second one leads out by the first."""
    made = agent_scenarios.SCENARIOS / "planted"
    links = [
        info("a/b/c/d/up", tarfile.SYMTYPE, "../../../.."),
        info("out", tarfile.SYMTYPE, "a/b/c/d/up/../.."),
        info("out/planted", tarfile.SYMTYPE, "file"),
    ]
    for content in (archive(*links), archive(*reversed(links))):
        with pytest.raises(OperationError, match="'out/planted' must not be part of a scenario"):
            take(node, content, "0" * 64)
        assert not made.is_symlink()
        assert not list(agent_scenarios.SCENARIOS.iterdir())
    assert not list(tmp_path.rglob("planted"))


def test_a_disk_without_room_is_said_before_anything_is_written(
    node: NodeSettings, scenario: Scenario
) -> None:
    with pytest.raises(OperationError, match=r"MiB free, but .* MiB are needed: make room"):
        take(node, packed(scenario), "0" * 64, size=1 << 60)


def test_old_ones_go_and_what_is_in_use_stays(node: NodeSettings) -> None:
    names = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(25)]
    for number, name in enumerate(names):
        place = agent_scenarios.SCENARIOS / name
        place.mkdir(parents=True)
        os.utime(place, (1e9 - number, 1e9 - number))
    used, idle = (agent_scenarios.SCENARIOS / name for name in names[-2:])
    for file, place in (("run.json", used), ("idle.json", idle)):
        run = RunSettings(
            run_id=RunId("20261121T101500Z-hello-3f9a"),
            locustfiles=("a.py",),
            scenario_directory=place,
        )
        (node.state_directory / file).write_text(run.model_dump_json())
    agent_scenarios.prune(node, lambda: 1e9 + DAY)
    left = {path.name for path in agent_scenarios.SCENARIOS.iterdir()}
    assert left == {*names[:20], *names[-2:]}
    agent_scenarios.prune(node, lambda: 1e9 + 31 * DAY)
    assert {path.name for path in agent_scenarios.SCENARIOS.iterdir()} == set(names[-2:])


@pytest.mark.usefixtures("node")
def test_a_run_needs_its_scenario_to_be_there_still() -> None:
    run = RunSettings(
        run_id=RunId("20261121T101500Z-hello-3f9a"),
        locustfiles=("a.py",),
        scenario_directory=agent_scenarios.SCENARIOS / "gone",
    )
    with pytest.raises(OperationError, match="no longer exists"):
        agent_scenarios.use(run)


@pytest.mark.parametrize("name", ["../up", "0" * 63, "A" * 64, "0" * 64 + "\n", ""])
def test_a_name_that_is_no_hash_is_refused_where_it_is_read(name: str) -> None:
    with pytest.raises(ValueError, match="sha256"):
        Take(kind="scenario", sha256=name, bytes=1)


def test_what_one_host_has_another_takes_in(node: NodeSettings, scenario: Scenario) -> None:
    name = scenario.fingerprint()
    take(node, packed(scenario), name)
    given = io.BytesIO()
    agent_scenarios.give(Give(kind="scenario", sha256=name), given)
    shutil.rmtree(agent_scenarios.SCENARIOS / name)
    take(node, given.getvalue(), name)
    assert agent_scenarios.has_scenario(name)
    with pytest.raises(OperationError, match="does not exist, so it can't be copied"):
        agent_scenarios.give(Give(kind="installed", sha256=name), io.BytesIO())
