"""A run that can't be made as asked is one sentence and exit code 2; nothing is started."""

import socket
from pathlib import Path

import pytest

from loadgen.cli import main
from loadgen.cluster.local import LocalCluster


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--users=0"], "--users '0' can't be used: it must be at least 1"),
        (["--users=-1"], "--users '-1' can't be used: it must be at least 1"),
        (["--users=ten"], "--users 'ten' can't be used: it must be a whole number"),
        (
            ["--users=10000000"],
            "--users '10000000' can't be used: it must be at most 1000000",
        ),
        (
            ["--run-time", "5 bananas"],
            "--run-time '5 bananas' can't be used: give a duration such as 30s, 5m or 1h30m",
        ),
        (
            ["--host", "shop.example"],
            "--host 'shop.example' can't be used: give a base URL with its scheme",
        ),
        (["--spawn-rate", "fast"], "--spawn-rate 'fast' can't be used"),
        (["--experiment", "nowhere.yml"], "nowhere.yml"),
        (["--allow-missing", "1"], "--allow-missing is for the hosts of a fleet"),
        (["--", "--workers", "2"], "--workers is an option of loadgen run"),
    ],
)
def test_what_is_wrong_is_named_before_anything_starts(
    words: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(LocalCluster, "__init__", lambda *_: pytest.fail("a run was started"))
    with pytest.raises(SystemExit) as ended:
        main.main(["run", *words])
    said = capsys.readouterr().err
    assert (ended.value.code, said.count("\n")) == (2, 1), said
    assert sentence in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "file", "reason"),
    [
        (
            ["run", "--env-file"],
            None,
            "No such file or directory; give the path of a file of lines",
        ),
        (["run", "--env-file"], b"\xff", "it is not UTF-8 text; give the path of a file of lines"),
        (["record"], None, "No such file or directory; give the path of a session saved as HAR"),
    ],
)
def test_why_a_file_cannot_be_read_is_said_in_words(
    words: list[str],
    file: bytes | None,
    reason: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "given"
    if file is not None:
        path.write_bytes(file)
    # A fault of the user's comes before a port that is taken.
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = [f"--web-port={taken.getsockname()[1]}"] if words[0] == "run" else []
        with pytest.raises(SystemExit) as ended:
            main.main([*words, str(path), *port])
    said = capsys.readouterr().err
    assert (ended.value.code, said.count("\n")) == (2, 1), said
    assert f"{path} can't be read: {reason}" in said
