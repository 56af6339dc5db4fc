"""Locust's own environment, files and options: taken over and named, or refused at once."""

from pathlib import Path

import pytest
from locust import argument_parser, events

from loadgen.shared.errors import UsageError
from loadgen.specification.locust_options import OPTIONS, VARIABLES, find, refuse_passed_on
from loadgen.specification.run import specify


def test_every_option_of_the_installed_locust_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    # Locustfiles that other tests have loaded add options of their own.
    monkeypatch.setattr(events.init_command_line_parser, "_handlers", [])
    parser = argument_parser.get_parser(default_config_files=[])
    variables = {getattr(one, "env_var", None) for one in parser._actions} - {None}
    assert set(VARIABLES) == variables
    shows = {"--help", "--version", "--list", "--show-task-ratio", "--show-task-ratio-json"}
    gone = {"--expect-slaves", "--slave"}
    flags = {one.option_strings for one in map(_Flags, parser._actions)}
    known = {f"--{name.replace('_', '-')}" for name in OPTIONS}
    assert {words for words in flags if words and not set(words) & (known | shows | gone)} == set()


class _Flags:
    """An option's words, as a set can hold them."""

    def __init__(self, action: object) -> None:
        self.option_strings = tuple(getattr(action, "option_strings", ()))


def test_what_has_a_field_is_taken_over_and_named(tmp_path: Path) -> None:
    (tmp_path / "locust.conf").write_text("users = 7\nrun-time = 5m\nheadless = true\n")
    (tmp_path / "pyproject.toml").write_text('[tool.locust]\nspawn-rate = 3\ntags = ["a", "b"]\n')
    environment = {"LOCUST_USERS": "9", "LOCUST_EXCLUDE_TAGS": "x y", "LOCUST_TENANT": "mine"}
    found = find(environment, tmp_path / "home", tmp_path)
    run = specify(found.fields)
    assert (run.users, run.run_time, run.spawn_rate) == (9, 300, 3)
    assert (run.tags, run.exclude_tags) == (("a", "b"), ("x", "y"))
    said = "\n".join(found.sentences)
    assert "LOCUST_USERS in the environment is used as --users" in said
    assert f"run-time in {tmp_path / 'locust.conf'} is used as --run-time" in said
    assert f"headless in {tmp_path / 'locust.conf'} is not used: a run starts by itself" in said
    assert "TENANT" not in said


@pytest.mark.parametrize(
    ("file", "text", "environment", "words"),
    [
        (".locust.conf", "master = true", {}, ["master in ", ".locust.conf", "remove it"]),
        ("locust.conf", "worker = true", {}, ["worker in ", "--workers"]),
        ("locust.conf", "my-option = 3", {}, ["--my-option after --"]),
        ("locust.conf", "= ]", {}, ["can't be read"]),
        ("pyproject.toml", "[tool.locust", {}, ["can't be read"]),
        (None, "", {"LOCUST_AUTOQUIT": "5"}, ["LOCUST_AUTOQUIT in the environment"]),
        (None, "", {"LOCUST_MODE_MASTER": "1"}, ["LOCUST_MODE_MASTER"]),
        (None, "", {"LOCUST_RESET_STATS": "true"}, ["--warm-up"]),
        (None, "", {"LOCUST_CONFIG_USERS": "[]"}, ["--config-users after --"]),
    ],
)
def test_what_would_change_a_run_is_refused(
    file: str | None, text: str, environment: dict[str, str], words: list[str], tmp_path: Path
) -> None:
    if file:
        (tmp_path / file).write_text(text)
    with pytest.raises(UsageError) as refusal:
        find(environment, tmp_path, tmp_path)
    assert all(word in str(refusal.value) for word in words), refusal.value


@pytest.mark.parametrize("environment", [{"LOCUST_MODE_MASTER": "false"}, {"LOCUST_AUTOQUIT": ""}])
def test_what_is_switched_off_is_no_matter(environment: dict[str, str], tmp_path: Path) -> None:
    assert find(environment, tmp_path, tmp_path).fields == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--html", "name_{u}.html"], "a run's reports are in its results directory"),
        (["--csv=x"], "a run's reports"),
        (["--users", "5"], "give --users before --"),
        (["-u", "5"], "give --users before --"),
        (["--expect-workers=2"], "give --workers before --"),
        (["--master"], "loadgen starts master and workers itself"),
        (["--autoquit", "3"], "ends by itself"),
    ],
)
def test_options_after_the_dashes_that_would_have_no_effect_are_refused(
    words: list[str], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        refuse_passed_on(words)


def test_other_options_after_the_dashes_pass() -> None:
    refuse_passed_on(["--my-option", "3", "--loglevel", "DEBUG", "--enable-rebalancing", "users"])


def test_an_experiment_sets_no_option_of_locust_by_its_environment() -> None:
    with pytest.raises(UsageError, match="LOCUST_TAGS sets an option of Locust"):
        specify({"environment": {"LOCUST_TAGS": "slow"}})
