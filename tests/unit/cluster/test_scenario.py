"""What a scenario holds, how it is named, and what is refused before anything is sent."""

import hashlib
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from loadgen.cluster import scenario as module
from loadgen.cluster import scenario_files
from loadgen.cluster.scenario import Scenario, find_scenario, leads_out
from loadgen.shared.errors import UsageError
from loadgen.shared.project import PROJECT

USER = "from locust import User\n"


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "cache_directory", lambda: tmp_path / "cache")


def write(directory: Path, *names: str) -> Path:
    for name in names:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(USER if name.endswith(".py") else name)
    return directory


def project(tmp_path: Path, *names: str) -> Scenario:
    write(tmp_path / "shop", "locustfile.py", *names)
    return find_scenario([str(tmp_path / "shop" / "locustfile.py")])


def held(scenario: Scenario) -> set[str]:
    return {member.path.as_posix() for member in scenario.listing.members}


def test_it_holds_the_directory_without_what_tools_leave_there(tmp_path: Path) -> None:
    left = ("venv/lib/x.py", ".git/HEAD", "node_modules/a/b.js", "results/r/summary.json",
            "a/__pycache__/x.pyc", ".pytest_cache/v", "env/bin/python", "mine/pyvenv.cfg",
            "mine/lib/y.py", "shop.egg-info/PKG-INFO")  # fmt: skip
    kept = ("data/rows.csv", "helpers/more.py", ".config", "environment/a.py")
    assert held(project(tmp_path, *left, *kept)) == {"locustfile.py", *kept}


def test_the_users_own_rules_win_in_gitignores_syntax(tmp_path: Path) -> None:
    write(tmp_path / "shop", "big/a.bin", "big/keep.bin", "ca.pem", "results/kept.csv")
    rules = "# what is not needed\nbig/*\n!big/keep.bin\n!ca.pem\n!results/\n"
    (tmp_path / "shop" / ".loadgenignore").write_text(rules)
    kept = {"big/keep.bin", "ca.pem", "results/kept.csv", ".loadgenignore", "locustfile.py"}
    assert held(project(tmp_path)) == kept


def test_what_looks_secret_stays_and_is_said(tmp_path: Path) -> None:
    secrets = (".env", ".env.production", "server.key", "keys/id_ed25519", ".aws/credentials")
    scenario = project(tmp_path, *secrets, "environment.py")
    assert held(scenario) == {"locustfile.py", "environment.py"}
    assert scenario.notice
    for name in (".env", "server.key", "id_ed25519", ".aws"):
        assert name in scenario.notice
    assert "--env" in scenario.notice
    assert project(tmp_path / "other").notice is None


def test_the_name_follows_contents_and_links_alone(tmp_path: Path) -> None:
    first = project(tmp_path, "data.csv").fingerprint()
    (tmp_path / "shop" / "data.csv").chmod(0o600)
    os.utime(tmp_path / "shop" / "data.csv", (1, 1))
    write(tmp_path / "shop", "venv/lib/x.py")
    assert project(tmp_path, "data.csv").fingerprint() == first
    assert project(tmp_path / "copy", "data.csv").fingerprint() == first
    (tmp_path / "shop" / "data.csv").write_text("other")
    second = find_scenario([str(tmp_path / "shop/locustfile.py")]).fingerprint()
    (tmp_path / "shop" / "link").symlink_to("data.csv")
    third = find_scenario([str(tmp_path / "shop/locustfile.py")]).fingerprint()
    assert len({first, second, third}) == 3


def test_a_large_file_is_read_once_and_again_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenario_files, "SETTLED_NANOSECONDS", -(10**12))
    large = write(tmp_path / "shop", "locustfile.py") / "large.bin"
    large.write_bytes(bytes(scenario_files.REMEMBERED_BYTES))
    read: list[str] = []
    real = hashlib.file_digest

    def note(file: io.BufferedReader, kind: str) -> object:
        read.append(file.name)
        return real(file, kind)

    monkeypatch.setattr(hashlib, "file_digest", note)

    def name() -> str:
        return find_scenario([str(tmp_path / "shop/locustfile.py")]).fingerprint()

    first = name()
    assert name() == first
    assert read == [str(large)]
    large.write_bytes(b"x" * scenario_files.REMEMBERED_BYTES)
    assert name() != first


def test_a_package_comes_whole_and_can_be_imported_by_its_name(tmp_path: Path) -> None:
    write(tmp_path, "proj/shop/__init__.py", "proj/shop/load/__init__.py",
          "proj/shop/load/checkout.py", "proj/shop/common.py", "proj/beside.py")  # fmt: skip
    scenario = find_scenario([str(tmp_path / "proj/shop/load/checkout.py")])
    assert scenario.locustfiles == ("shop/load/checkout.py",)
    assert "shop/common.py" in held(scenario)
    assert "beside.py" not in held(scenario)
    assert scenario.directory == tmp_path / "proj"


def test_locustfiles_of_several_directories_bring_each(tmp_path: Path) -> None:
    write(tmp_path, "a/one.py", "a/rows.csv", "b/two.py", "c/three.py")
    scenario = find_scenario([str(tmp_path / "a/one.py"), str(tmp_path / "b/two.py")])
    assert scenario.locustfiles == ("a/one.py", "b/two.py")
    assert held(scenario) == {"a/one.py", "a/rows.csv", "b/two.py"}
    write(tmp_path, "d/a/one.py")
    with pytest.raises(UsageError, match="two directories of locustfiles are named a"):
        find_scenario([str(tmp_path / "a/one.py"), str(tmp_path / "d/a/one.py")])


def test_a_directory_and_a_file_in_it_are_one(tmp_path: Path) -> None:
    write(tmp_path / "all", "a.py", "deep/b.py", "_no.py", "venv/lib/c.py")
    scenario = find_scenario([str(tmp_path / "all"), str(tmp_path / "all/a.py")])
    assert scenario.locustfiles == ("a.py", "deep/b.py")


def test_the_kits_examples_come_along_where_they_are_imported(tmp_path: Path) -> None:
    write(tmp_path / "mine", "a.py", "b.py")
    (tmp_path / "mine" / "b.py").write_text("from locustfiles.shapes.steps import x\n")
    assert "locustfiles/hello.py" in held(find_scenario([str(tmp_path / "mine/a.py")]))
    own = find_scenario([str(PROJECT / "locustfiles" / "hello.py")])
    assert own.locustfiles == ("locustfiles/hello.py",)
    assert all(name.startswith("locustfiles/") for name in held(own))


def too_large(directory: Path) -> None:
    for number in range(7):
        with (directory / f"{number}.bin").open("wb") as file:
            file.truncate((300 + number) << 20)


def too_many(directory: Path) -> None:
    for number in range(30):
        (directory / f"{number}").touch()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (too_large, r"holds 2,121 MiB, and a scenario may have 1,024.*\n  306 MiB .*6\.bin\n"),
        (too_many, "has 20 files or more"),
        (lambda d: os.mkfifo(d / "pipe"), r"shop/pipe is not a file.*\.loadgenignore"),
        (lambda d: (d / "out").symlink_to("../secret"), r"link .*shop/out leads to \.\./secret"),
        (lambda d: (d / "out").symlink_to("/etc"), "leads to /etc, which is outside the scenario"),
    ],
)
def test_what_cant_be_sent_is_refused_with_what_to_do_and_runs_here(
    tmp_path: Path, spoil: Callable[[Path], object], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenario_files, "FILES_MAX", 20)
    monkeypatch.setattr(module, "FILES_MAX", 20)
    spoil(write(tmp_path / "shop", "locustfile.py"))
    scenario = find_scenario([str(tmp_path / "shop" / "locustfile.py")])
    with pytest.raises(UsageError, match=words):
        scenario.require_portable()
    assert scenario.paths == (str(tmp_path / "shop/locustfile.py"),)
    assert len(scenario.fingerprint_here()) in (0, 64)


def test_a_file_that_cant_be_read_is_named_and_no_hash_is_given_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = project(tmp_path, "rows.csv")

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(UsageError, match=r"locustfile.py .*can't be read \(Permission denied\)"):
        scenario.fingerprint()
    assert scenario.fingerprint_here() == ""


def test_a_locustfile_that_stays_behind_is_named(tmp_path: Path) -> None:
    write(tmp_path / "shop", "drafts/locustfile.py", "locustfile.py")
    (tmp_path / "shop/.loadgenignore").write_text("locustfile.py\n")
    with pytest.raises(UsageError, match="is not copied to the hosts, because it is in a cache"):
        find_scenario([str(tmp_path / "shop/locustfile.py")])


def test_links_within_stay_links_in_the_archive_and_modes_are_narrow(tmp_path: Path) -> None:
    write(tmp_path / "shop", "data/rows.csv")
    (tmp_path / "shop" / "link").symlink_to("data")
    scenario = project(tmp_path)
    scenario.require_portable()
    packed = io.BytesIO()
    scenario.pack(packed)
    packed.seek(0)
    with tarfile.open(fileobj=packed) as archive:
        found = {info.name: (info.issym(), oct(info.mode), info.uid) for info in archive}
    assert found["link"][0]
    assert found["data/rows.csv"] == (False, "0o640", 0)


@pytest.mark.parametrize(
    ("path", "link", "out"),
    [
        ("a", "b", False), ("a/b", "../c", False), ("a", "../c", True), ("a/b", "../../c", True),
        ("a", "/etc/passwd", True), ("a/b/c", "../../d/../e", False), ("a", "x/../../y", True),
    ],
)  # fmt: skip
def test_links_lead_out_by_their_text(path: str, link: str, out: bool) -> None:
    assert leads_out(PurePosixPath(path), link) is out


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("locustfile", "is not a Python file: Locust imports"),
        ("nowhere.py", "was not found in"),
        ("http://127.0.0.1/locustfile.py", "is a URL, but loadgen runs only files on this machine"),
    ],
)
def test_a_locustfile_of_another_name_is_told_from_one_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    monkeypatch.chdir(write(tmp_path, "locustfile"))
    with pytest.raises(UsageError, match=said):
        find_scenario([name])
