"""`--time-zone`: times that don't say their zone are read as that of a place."""

from datetime import UTC, datetime, tzinfo
from pathlib import Path

import pytest

from loadgen.access_logs.reading import LogReading
from loadgen.access_logs.zones import zone_of
from loadgen.cli.main import main
from loadgen.shared.errors import UsageError


def log(path: Path, *times: str, ending: str = "") -> Path:
    lines = [
        f'{{"time": "{time}{ending}", "remote_addr": "192.0.2.1", "request_method": "GET",'
        f' "request_uri": "/a", "status": 200}}\n'
        for time in times
    ]
    path.write_text("".join(lines))
    return path


def moments(path: Path, zone: tzinfo) -> list[str]:
    reading = LogReading(zone)
    return [f"{datetime.fromtimestamp(hit.time, UTC):%d %H:%M}" for hit in reading.hits([path])]


@pytest.mark.parametrize(
    ("zone", "times", "read"),
    [
        ("Europe/Berlin", ["2026-07-01T12:00:00"], ["01 10:00"]),
        ("America/New_York", ["2026-07-01T22:00:00"], ["02 02:00"]),
        ("Asia/Kolkata", ["2026-07-01T00:10:00"], ["30 18:40"]),
        ("UTC", ["2026-07-01T12:00:00"], ["01 12:00"]),
        ("+02:00", ["2026-07-01T12:00:00"], ["01 10:00"]),
        ("-0330", ["2026-07-01T12:00:00"], ["01 15:30"]),
        # Summer time begins: an hour is left out.
        ("Europe/Berlin", ["2026-03-29T01:59:00", "2026-03-29T03:00:00"], ["29 00:59", "29 01:00"]),
        # A time that there was not, as of another machine's clock.
        ("Europe/Berlin", ["2026-03-29T01:59:00", "2026-03-29T02:30:00"], ["29 00:59", "29 01:30"]),
        # Summer time ends: an hour comes twice, and what took long is a little late.
        (
            "Europe/Berlin",
            [f"2026-10-25T0{one}:00" for one in ("2:10", "2:50", "2:49", "2:05", "2:55", "3:01")],
            ["25 00:10", "25 00:50", "25 00:49", "25 01:05", "25 01:55", "25 02:01"],
        ),
        (
            "Australia/Lord_Howe",
            [f"2026-04-05T{one}:00" for one in ("01:35", "01:59", "01:31", "02:01")],
            ["04 14:35", "04 14:59", "04 15:01", "04 15:31"],
        ),
    ],
)  # fmt: skip
def test_times_without_a_zone_are_a_places(
    zone: str, times: list[str], read: list[str], tmp_path: Path
) -> None:
    assert moments(log(tmp_path / "a.log", *times), zone_of(zone)) == read


def test_times_with_a_zone_keep_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = log(tmp_path / "a.log", "2026-07-01T12:00:00", ending="Z")
    assert moments(path, zone_of("Europe/Berlin")) == ["01 12:00"]
    made = str(tmp_path / "made.py")
    with pytest.raises(SystemExit) as ended:
        main(["mix", str(path), "--time-zone", "Europe/Berlin", "--output", made])
    assert ended.value.code == 0
    assert "--time-zone Europe/Berlin isn't used" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name",
    ["", "CEST", "Berlin", "Europe", "europe/atlantis", "../../etc/passwd", "/etc/localtime",
     "a\0b", "+25:00", "+2", "UTC+2", "Europe/Berlin ", "é", "x" * 5000],
)  # fmt: skip
def test_what_is_no_zone_is_one_sentence(name: str) -> None:
    with pytest.raises(UsageError, match=r"is not a time zone: give the name of one"):
        zone_of(name)


def test_a_mix_says_how_times_were_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = log(tmp_path / "a.log", "2026-07-01T12:00:00", "2026-07-01T12:00:09")
    for options, said in (
        ([], "were taken as UTC"),
        (["--time-zone", "Asia/Tokyo"], "were read as Asia/Tokyo"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["mix", str(path), "--output", str(tmp_path / "made.py"), *options])
        assert ended.value.code == 0
        assert said in capsys.readouterr().out
