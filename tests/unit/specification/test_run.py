from pathlib import Path

import pytest

from loadgen.shared.errors import UsageError
from loadgen.specification.durations import parse_duration
from loadgen.specification.run import RunSpecification, specify
from loadgen.specification.variables import split_variables


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("1h 2m 3s", 3723), (" 10 s ", 10)],
)
def test_duration_is_read_as_locust_writes_it(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5 bananas", "s", "-3s", "1.5.2", "10s5m", "m5"])
def test_duration_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="give a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "rule"),
    [("1h30", "give 1h30m or 1h30s"), ("2h 5", "give 2h 5m or 2h 5s"), ("5m30", "give 5m30s")],
)
def test_duration_whose_last_number_could_be_anything_is_refused(text: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        parse_duration(text)


@pytest.mark.parametrize(
    ("host", "rule"),
    [
        ("ftp://shop.example", "has the scheme ftp"),
        ("https://shop.example/#top", "can't contain \\? or #"),
        ("https://shop.example/?q=1", "can't contain \\? or #"),
        ("https://shop.example?", "can't contain \\? or #"),
        ("http://shop.example:99999", "Port out of range"),
        ("http://shop.example:0", "port 0 can't be used"),
        ("http://shop.example:http", "it is not a URL"),
        ("http://[::1", "it is not a URL"),
        ("http://shop .example", "can't contain spaces"),
    ],
)
def test_host_that_no_request_could_be_sent_to_is_refused(host: str, rule: str) -> None:
    with pytest.raises(UsageError, match=rule):
        specify({"host": host})


def test_host_of_another_protocol_is_for_locustfiles_that_speak_it() -> None:
    assert specify({"host": "ws://shop.example", "skip_target_check": True}).host


@pytest.mark.parametrize(
    "slo",
    [
        {"measure": "p95_seconds", "at_most": 1, "after_seconds": 30},
        {"measure": "p95_seconds", "at_most": 1, "window_seconds": 31},
        {"measure": "p95_seconds", "at_most": 1, "window_seconds": 20, "after_seconds": 11},
    ],
)
def test_slo_that_the_run_is_too_short_for_is_refused(slo: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"can't be measured: .* but run_time is 30 s"):
        specify({"run_time": "30s", "slos": [slo]})


def test_slo_that_just_fits_is_taken() -> None:
    slo = {"measure": "p95_seconds", "at_most": 1, "window_seconds": 20, "after_seconds": 10}
    assert specify({"run_time": "30s", "slos": [slo]}).slos


def test_defaults_are_a_whole_run() -> None:
    run = RunSpecification()

    assert run.locustfiles == ("locustfiles/hello.py",)
    assert run.host is None


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(UsageError) as raised:
        specify({"users": "0", "run_time": "x", "host": "nowhere"})

    lines = str(raised.value).splitlines()
    assert [line.split()[0] for line in lines] == ["--host", "--users", "--run-time"]


@pytest.mark.parametrize("host", ["shop.example", "//shop", "http://", "localhost:80", "http:/x"])
def test_host_without_scheme_or_name_is_refused(host: str) -> None:
    with pytest.raises(UsageError, match="give a base URL with its scheme"):
        specify({"host": host})


def test_certificate_without_key_is_refused() -> None:
    with pytest.raises(UsageError, match="belong together"):
        specify({"tls_cert": "/tmp/cert.pem"})


def test_several_locustfiles_come_with_commas() -> None:
    assert specify({"locustfile": "a.py, b.py"}).locustfiles == ("a.py", "b.py")
    with pytest.raises(UsageError, match="give a path"):
        specify({"locustfile": "a.py,"})


def test_password_in_the_host_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match="a password in the URL") as raised:
        specify({"host": "https://me:s3cr@t@shop.example"})

    assert "s3cr" not in str(raised.value)


def test_nodes_get_secrets_and_what_recordings_read_and_nothing_else() -> None:
    own = {
        "RECORDED_X_API_KEY": "k-31415926",
        "THINK_TIME_RATIO": "0.5",
        "HOME": "/root",
        "PIN": "1",
    }
    run = specify({"environment": {"THINK_TIME_RATIO": "0"}, "secrets": ["PIN"]})
    given = run.node_environment(own)
    assert given == {"RECORDED_X_API_KEY": "k-31415926", "THINK_TIME_RATIO": "0", "PIN": "1"}
    assert "k-31415926" not in run.model_dump_json()
    with pytest.raises(UsageError, match="PIN is to be passed to the run"):
        run.node_environment({})


def test_an_insecure_target_is_accepted_by_the_users_as_well() -> None:
    assert specify({"insecure_target": True}).node_environment({}) == {"INSECURE_TARGET": "1"}
    assert specify({}).node_environment({}) == {}


def test_env_words_are_values_or_names() -> None:
    fields = split_variables(["TOKEN", "REGION=eu", "EMPTY=", "URL=a=b"])
    run = specify(fields)
    assert run.environment == {"REGION": "eu", "EMPTY": "", "URL": "a=b"}
    assert run.node_environment({"TOKEN": "t"})["TOKEN"] == "t"
    for word in ("1X=2", "A B", "=x", "A-B"):
        with pytest.raises(UsageError, match="give NAME, or NAME=value"):
            split_variables([word])


def test_an_env_file_is_read_as_shells_write_it_and_the_command_line_wins(tmp_path: Path) -> None:
    file = tmp_path / "shop.env"
    file.write_text("# shop\nexport TOKEN='a b'\nREGION=\"eu\"\n\nRAW=x#y\n")
    run = specify({"env_file": str(file), "environment": {"REGION": "us"}})
    found = run.node_environment({})
    assert found == {"TOKEN": "a b", "REGION": "us", "RAW": "x#y"}
    assert "a b" not in run.model_dump_json()
    file.write_text("TOKEN\n")
    with pytest.raises(UsageError, match=r"shop\.env, line 1: each line has to be NAME=value"):
        run.node_environment({})
    file.unlink()
    with pytest.raises(UsageError, match=r"--env-file .*shop\.env can't be read"):
        run.node_environment({})
