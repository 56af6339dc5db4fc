"""Each parser of a file or value from elsewhere gives a value, or the kit's own error."""

import contextlib
import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from loadgen.node import request_log as node_log
from loadgen.node.settings import RunSettings, load_node_settings
from loadgen.node.statistics.request_log_format import TIMES
from loadgen.results import request_log
from loadgen.results.journal import JOURNAL_FILE, Journal
from loadgen.results.parquet_size import unpacked_bytes
from loadgen.results.statistics_file import STATISTICS_FILE, load_record
from loadgen.scenario.account_file import parse_accounts, read_accounts
from loadgen.scenario.shapes.rates import read_hours, read_points
from loadgen.shared.errors import UsageError
from loadgen.shared.snapshot import unpack
from loadgen.specification.durations import parse_duration
from loadgen.specification.experiment import load_experiment
from loadgen.specification.run import RunSpecification, specify
from tests.faults.record import Outcome

PART = "Attackers: parsers"
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**300, 10**310)
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["\0", "-x", "1h", "9" * 400, "http://a", "../..", "{x}", "%s", "\x1b[2J"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = [
    *RunSpecification.model_fields,
    "sweep",
    "search",
    "before",
    "data",
    "repetitions",
    "rest",
]
SPECIFICATIONS = st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4)
TEXTS = st.text(max_size=200) | st.binary(max_size=200)


def write(path: Path, content: str | bytes) -> Path:
    content = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    path.write_bytes(content)
    return path


def refused(read: Callable[[], Any], *own: type[Exception]) -> bool:
    """Call a parser; any error but its own gets out and fails the test."""
    try:
        read()
    except own as error:
        sentence = str(error)
        assert sentence
        assert "Traceback" not in sentence
        return True
    return False


BOMBS = {
    "aliases": "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "tag": "users: !!python/object/apply:os.system ['touch pwned']\n",
    "tag of a name": "users: !!python/name:os.system\n",
    "depth": "users: " + "[" * 5000 + "]" * 5000 + "\n",
    "list as a name": "? [a]\n: 1\n",
    "map as a name": "? {a: 1}\n: 1\n",
    "digits": "users: " + "9" * 5000 + "\n",
    "NUL": 'locustfile: "a\\0b"\n',
    "NUL in a command": 'before: ["a\\0b"]\n',
    "a variable": 'environment: {"A=B": x}\n',
    "a variable of lines": 'environment: {"A\\nB": x}\n',
    "a duration": f"run_time: {'9' * 400}h\n",
    "a duration of digits": f"run_time: {'9' * 400}\n",
    "a sweep": "sweep:\n" + "".join(f"  environment.V{n}: {list(range(50))}\n" for n in range(30)),
    "a date": "users: 2026-99-99\n",
    "binary": "users: !!binary x\n",
    "merge": "<<: 1\n",
    "a tag as an option": "tags: [--web-host=0.0.0.0]\n",
    "a size": "description: " + "x" * 300_000 + "\n",
}


@pytest.mark.fault(
    PART,
    f"The kit reads {len(BOMBS)} YAML bombs: aliases, Python tags, deep nesting, sweeps, "
    "NUL and others.",
)
def test_a_yaml_bomb_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: Outcome
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in BOMBS.items():
        path = write(tmp_path / "experiment.yml", text)
        with pytest.raises(UsageError) as refusal:
            load_experiment(path, {})
        assert len(str(refusal.value)) < 7000, name
    assert not (tmp_path / "pwned").exists()
    outcome("Each YAML file is refused with a one-sentence error; nothing is started.")


def check_experiments(directory: Path) -> None:
    @settings(max_examples=150)
    @given(TEXTS | SPECIFICATIONS.map(yaml.safe_dump) | JSON.map(yaml.safe_dump))
    def check(content: str | bytes) -> None:
        path = write(directory / "experiment.yml", content)
        refused(lambda: load_experiment(path, {}), UsageError)

    check()


def check_options(_: Path) -> None:
    @given(st.dictionaries(st.sampled_from(FIELDS[:20]), st.text(max_size=20), max_size=3))
    def check(fields: dict[str, str]) -> None:
        refused(lambda: specify(fields), UsageError)

    check()


def check_durations(_: Path) -> None:
    units = st.lists(
        st.sampled_from(["9" * 400, "1", "h", "m", "s", " ", "-", ".", "٣"]), max_size=6
    )

    @given(st.text(max_size=10) | units.map("".join) | JSON)
    def check(value: Any) -> None:
        refused(lambda: parse_duration(value), ValueError)

    check()


def check_accounts(directory: Path) -> None:
    @given(TEXTS | st.text('",\n\0ab', max_size=60).map(lambda text: "username,password\n" + text))
    def check(content: str | bytes) -> None:
        path = write(directory / "accounts.csv", content)
        refused(lambda: read_accounts(path), UsageError)
        if isinstance(content, str):
            refused(lambda: parse_accounts(content, "a"), UsageError)

    check()


def check_profiles(directory: Path) -> None:
    cells = st.sampled_from(["1", "2.5", "nan", "inf", "1e999", "-1", "", '"', "x", "0", "3"])
    rows = st.lists(st.tuples(cells, cells).map(",".join), max_size=6).map("\n".join)

    @given(TEXTS | rows | st.just('"' + "x" * 200_000))
    def check(content: str | bytes) -> None:
        path = write(directory / "profile.csv", content)
        refused(lambda: read_points(path), ValueError)
        refused(lambda: read_hours(path), ValueError)

    check()


def check_settings(directory: Path) -> None:
    names = [*RunSettings.model_fields, "name", "release_directory", "keys_directory"]
    near = st.dictionaries(st.sampled_from(names), JSON, max_size=5)

    @given(TEXTS | (JSON | near).map(json.dumps))
    def check(content: str | bytes) -> None:
        path = write(directory / "node.json", content)
        refused(lambda: load_node_settings(path), UsageError)

    check()


def check_archives(directory: Path) -> None:
    @given(TEXTS | JSON.map(json.dumps))
    def check(content: str | bytes) -> None:
        for name in (STATISTICS_FILE, JOURNAL_FILE, request_log.MERGED_FILE):
            write(directory / name, content)
        refused(lambda: load_record(directory), UsageError)
        refused(lambda: Journal(directory / JOURNAL_FILE, lambda _: None), UsageError)
        refused(lambda: request_log.read_log(directory), UsageError)

    check()


def check_snapshots(_: Path) -> None:
    packable = JSON.map(
        lambda value: json.loads(json.dumps(value), parse_int=lambda n: int(n[:18]))
    )

    @given(st.binary(max_size=100) | packable.map(msgpack.packb))
    def check(content: bytes) -> None:
        refused(lambda: unpack(content), ValueError)

    check()


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(
            check,
            id=what,
            marks=pytest.mark.fault(
                PART, f"Parser of {what}: it reads random bytes and almost valid input."
            ),
        )
        for what, check in {
            "experiment files": check_experiments,
            "options": check_options,
            "durations": check_durations,
            "account files": check_accounts,
            "rate profiles": check_profiles,
            "node and run settings": check_settings,
            "a run's statistics, journal, request log": check_archives,
            "snapshots": check_snapshots,
        }.items()
    ],
)
def test_noise_ends_in_a_sentence(
    check: Callable[[Path], None], tmp_path: Path, outcome: Outcome
) -> None:
    check(tmp_path)
    outcome("Each input results in a value, or in the kit's own one-sentence error.")


@pytest.mark.fault(
    PART, "A worker host sends compressed request logs of some kilobytes that contain gigabytes."
)
def test_a_parquet_bomb_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: Outcome
) -> None:
    import polars as pl  # noqa: PLC0415  it takes a moment to import

    monkeypatch.setattr(request_log, "CHUNK_BYTES_MAX", 8 << 20)
    good = node_log.RequestLog(tmp_path / "requests", "good")
    good.add("GET", "/", 1.0)
    good.write()
    bad = tmp_path / "hosts" / "bad" / "requests"
    bad.mkdir(parents=True)
    row = pl.read_parquet(next((tmp_path / "requests").iterdir()))
    for name, texts, times in (
        ("each", [f"{'x' * 100_000}{n}" for n in range(100)], 1),
        ("rows", ["x" * 200_000] * 100, 1),
        ("times", ["x" * 200_000], 100),
    ):
        lists = [pl.lit([1] * times, pl.List(pl.Int64)).alias(one) for one in TIMES]
        frame = pl.concat([row] * len(texts)).with_columns(pl.Series("name", texts), *lists)
        frame.write_parquet(bad / f"{name}.parquet", compression="zstd")
        assert (bad / f"{name}.parquet").stat().st_size < 100_000
    with (bad / "each.parquet").open("rb") as file:
        assert unpacked_bytes(file) > 10_000_000
    read = pl.read_parquet
    monkeypatch.setattr(pl, "read_parquet", lambda chunk: unbombed(read, chunk))

    assert request_log.merge_log(tmp_path) == 1
    monkeypatch.setattr(request_log, "LOG_BYTES_MAX", 10)
    with pytest.raises(UsageError, match="but the limit is"):
        request_log.read_log(tmp_path)
    outcome("These logs are not decompressed, and the rows of the other hosts are kept.")


def unbombed(read: Callable[[Path], Any], chunk: Path) -> Any:
    assert chunk.name != "each.parquet", "it was unpacked"
    return read(chunk)


@given(st.binary(max_size=200), st.integers(0, 60), st.integers(0, 255))
def test_the_end_of_a_parquet_file_is_read_or_refused(noise: bytes, at: int, byte: int) -> None:
    footer = bytearray(noise)
    whole = b"PAR1" + bytes(footer) + struct.pack("<I", len(footer)) + b"PAR1"
    changed = bytearray(whole)
    changed[-min(at + 1, len(changed))] = byte
    for content in (whole, bytes(changed), noise):
        with contextlib.suppress(ValueError):
            unpacked_bytes(io.BytesIO(content))


@pytest.mark.fault(
    PART, "A worker host sends request logs with random bytes, another schema or a million rows."
)
def test_a_hosts_request_log_that_is_none_is_left_aside(tmp_path: Path, outcome: Outcome) -> None:
    import polars as pl  # noqa: PLC0415  it takes a moment to import

    good = node_log.RequestLog(tmp_path / "requests", "good")
    good.add("GET", "/", 1.0)
    good.write()
    bad = tmp_path / "hosts" / "bad" / "requests"
    bad.mkdir(parents=True)
    whole = next((tmp_path / "requests").iterdir()).read_bytes()
    write(bad / "noise.parquet", b"PAR1" + b"x" * 100 + b"PAR1")
    write(bad / "empty.parquet", b"")
    write(bad / "cut.parquet", whole[: len(whole) // 2])
    for place in range(4, len(whole), 7):
        write(bad / f"{place}.parquet", whole[:place] + b"\xff" + whole[place + 1 :])
    pl.DataFrame({"start_us": ["text"]}).write_parquet(bad / "schema.parquet")
    million = pl.DataFrame({"start_us": [1]}, schema={"start_us": pl.Int64()})
    pl.concat([million] * 100_000).write_parquet(bad / "many.parquet")

    assert request_log.merge_log(tmp_path) >= 1
    assert "good" in request_log.read_log(tmp_path)["worker"]
    outcome("Each bad log is left out with one message; the logs of the other hosts are merged.")
