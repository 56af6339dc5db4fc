"""Packed files from elsewhere: broken ones are one sentence, and so are bombs."""

import gzip
import io
import json
import warnings
import zipfile
from pathlib import Path

import pytest

from loadgen.api_descriptions import parsing
from loadgen.recordings import har
from loadgen.recordings.content import _key
from loadgen.recordings.graphql import operations
from loadgen.recordings.har import read
from loadgen.results.evaluation.pictures import legend_above, literal, new_picture, save_picture
from loadgen.shared.errors import UsageError
from tests.faults.record import Outcome

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
HAR = json.dumps({"log": {"entries": [{"request": {"method": "GET", "url": "http://a/"}}] * 50}})


def zipped(method: int) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        archive.writestr("session.har", HAR)
    return made.getvalue()


@pytest.mark.fault(
    "Attackers: names and files", "Packed recordings of five kinds are damaged at each place."
)
def test_a_damaged_packed_recording_is_read_or_one_sentence(
    tmp_path: Path, outcome: Outcome
) -> None:
    refused = []
    for whole in (gzip.compress(HAR.encode()), *map(zipped, METHODS)):
        for place in range(0, len(whole), 7):
            content = bytearray(whole)
            content[place] ^= 0x55
            for damaged in (content, whole[:place]):
                (tmp_path / "session.har").write_bytes(damaged)
                try:
                    read(tmp_path / "session.har")
                except UsageError as error:
                    refused.append(str(error))
    assert len(refused) > 100
    assert all(sentence.isprintable() for sentence in refused)
    outcome("Each is read or refused in one sentence.")


LISTS = b"[" + b"[]," * 700_000 + b"0]"


@pytest.mark.fault(
    "Attackers: names and files", "A packed recording of 2 KB unpacks to 128 MB of empty lists."
)
@pytest.mark.timeout(60)
def test_many_values_in_a_recording_are_refused_before_they_take_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: Outcome
) -> None:
    monkeypatch.setattr(har, "VALUES_MAX", 10_000_000)
    monkeypatch.setattr(har, "LEFT_OUT_MAX", 1000)
    document = b'{"log": {"entries": ' + LISTS + b"}}"
    for content, said in ((gzip.compress(document), "million values"), (document, "1,000")):
        (tmp_path / "session.har").write_bytes(content)
        with pytest.raises(UsageError, match=said):
            read(tmp_path / "session.har")
    body = LISTS.decode()
    assert _key(body) == ""
    assert operations(body, "") == []
    outcome("It is refused in one sentence before its values are read.")


@pytest.mark.parametrize(
    "text", [b'{"openapi": "3.0.0", "x": [%b]}' % (LISTS + b"," + LISTS + b"," + LISTS),
             b"x:\n" + b" - 1\n" * 1_000_001]
)  # fmt: skip
def test_many_values_in_a_description_are_refused_before_they_take_memory(
    text: bytes, tmp_path: Path
) -> None:
    (tmp_path / "api.yml").write_bytes(text)
    with pytest.raises(UsageError, match=r"are the most|the limit is"):
        parsing.parse(tmp_path / "api.yml")


def test_no_name_or_error_is_a_formula_of_a_picture(tmp_path: Path) -> None:
    figure, axes = new_picture("x", "y", "z")
    names = ("$\\frac$", "$$", "\\$x$", "_$^$", "\x1b[2J", "a\nb")
    for name in names:
        axes.plot([0], [0], label=literal(f"GET {name}"))
    axes.set_yticks(range(len(names)), [literal(name) for name in names])
    legend_above(axes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_picture(figure, tmp_path / "picture", ("svg",))
