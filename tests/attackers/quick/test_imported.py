"""An archive of another person's run: whole and within its bounds, or nothing of it is kept."""

import io
import os
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.results import bundle
from loadgen.results.bundle import import_run
from loadgen.shared.errors import UsageError
from tests.faults.record import Outcome
from tests.unit.samples import summary

PART = "Attackers: names and files"
SUMMARY = summary().model_dump_json()
RUN = summary().run_id


def zipped(contents: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in {"summary.json": SUMMARY.encode(), **contents}.items():
            archive.writestr(name, content)
    return made.getvalue()


def encrypted() -> bytes:
    """An archive whose entries say that they are encrypted."""
    content = bytearray(zipped({"a.txt": b"x"}))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := content.find(mark, at + 1)) >= 0:
            (flags,) = struct.unpack_from("<H", content, at + place)
            struct.pack_into("<H", content, at + place, flags | 1)
    return bytes(content)


WHOLE = zipped({"a.txt": b"x" * 900, "scenario/locustfile.py": b"y" * 90})
HOSTILE = {
    "a summary of 65 MiB": zipped({"summary.json": bytes(65 << 20)}),
    "a MiB of zeros where less is allowed": zipped({"zeros": bytes(1 << 20)}),
    "a file that is a directory too": zipped({"a": b"x", "a/b": b"x"}),
    "an escape sequence in a name": zipped({"\x1b[2Ja.txt": b"x"}),
    "a way out": zipped({"../a.txt": b"x"}),
    "a way out below": zipped({"scenario/../../a.txt": b"x"}),
    "a way out of Windows": zipped({"scenario\\..\\..\\a.txt": b"x"}),
    **{
        f"a place of its own after {slashes!r}": zipped({f"{slashes}tmp/planted-by-import": b"x"})
        for slashes in ("/", "//", "///", "\\", "\\\\", "/\\", "c:/", "c:\\")
    },
    "a deep summary": zipped({"summary.json": b'{"run_id":' + b"[" * 200_000}),
    "encrypted entries": encrypted(),
    "a Git repository": zipped({"scenario/.git/config": b"[core]"}),
    "a bare Git repository": zipped({"scenario/HEAD": b"ref: refs/heads/main"}),
    "a run's id with escapes": zipped(
        {"summary.json": SUMMARY.replace(RUN, "\\u001b[2J" + RUN).encode()}
    ),
    "cut short": WHOLE[: len(WHOLE) // 2],
    "nothing": b"",
}


@pytest.mark.fault(PART, f"`loadgen import` reads {len(HOSTILE)} hostile archives.")
def test_a_hostile_archive_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: Outcome
) -> None:
    results = tmp_path / "results"
    results.mkdir()
    for what, content in HOSTILE.items():
        (tmp_path / "run.zip").write_bytes(content)
        with monkeypatch.context() as patch:
            if "allowed" in what:
                patch.setattr(bundle, "BYTES_MAX", 1 << 19)
            with pytest.raises(UsageError) as refused:
                import_run(tmp_path / "run.zip", results)
        assert str(refused.value).isprintable(), what
        assert list(results.iterdir()) == [], what
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results", "run.zip"]
    assert not Path("/tmp/planted-by-import").exists()
    outcome("Each archive is refused with a one-sentence error, and nothing of it is kept.")


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    content = bytearray(WHOLE)
    for _ in range(draw(st.integers(1, 6))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content[draw(st.integers(0, 3)) :])


@given(damaged())
def test_a_damaged_archive_is_a_run_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    home = tmp_path_factory.mktemp("import")
    (home / "run.zip").write_bytes(content)
    (home / "results").mkdir()
    refused = ""
    try:
        import_run(home / "run.zip", home / "results")
    except UsageError as error:
        refused = str(error)
    assert refused.isprintable()
    assert [path.name for path in (home / "results").iterdir()] == ([] if refused else [RUN])
    assert sorted(path.name for path in home.iterdir()) == ["results", "run.zip"]


@pytest.mark.parametrize("place", [0, 1, 20, 63, 64, 65, 127, 128, 300])
def test_a_secret_is_taken_out_wherever_pieces_of_a_file_end(
    place: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "PIECE_BYTES", 64)
    monkeypatch.setattr(bundle, "CREDENTIALS_BYTES_MAX", 40)
    run = tmp_path / "run"
    (run / "hosts").mkdir(parents=True)
    shown = summary().model_copy(update={"specification": {"secrets": ["PIN"]}})
    (run / "summary.json").write_text(shown.model_dump_json())
    text = "x" * place + "SECRET-\n-PIN" + "y" * place + "https://me:pass@a/" + "z" * place
    for name in ("hosts/a.log", "hosts/a.bin"):
        (run / name).write_text(text)
    os.mkfifo(run / "hosts" / "pipe")

    bundle.export_run(run, tmp_path / "run.zip", {"PIN": "SECRET-\n-PIN"})

    cleaned = text.replace("SECRET-\n-PIN", "***")
    with zipfile.ZipFile(tmp_path / "run.zip") as archive:
        assert archive.read("hosts/a.bin").decode() == cleaned
        assert archive.read("hosts/a.log").decode() == cleaned.replace("me:pass", "***")


def test_a_large_file_of_a_host_is_packed_a_piece_at_a_time(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "summary.json").write_text(SUMMARY)
    with (run / "large.log").open("wb") as file:
        file.truncate(64 << 20)
    tracemalloc.start()
    bundle.export_run(run, tmp_path / "run.zip", {})
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken < 16 << 20
