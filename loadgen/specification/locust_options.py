"""Locust's own options, wherever they come from beside loadgen's: its environment, files, and `--`.

Plain Locust reads `LOCUST_…` variables, `~/.locust.conf`, `locust.conf` and `pyproject.toml`. What
has a field of a run is taken over and named, what a run has anyway is named as not used, and what
would change a run behind loadgen's back is refused before anything starts.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadgen.shared.errors import UsageError, why_unread

FIELDS = {
    **{name: name for name in ("locustfile", "host", "users", "spawn_rate", "run_time", "tags")},
    **{name: name for name in ("exclude_tags", "stop_timeout", "web_port", "tls_cert", "tls_key")},
    "master_bind_port": "master_bind_port",
    "expect_workers": "workers",
}
_REPORTS = "a run's reports are in its results directory"
_ENDS = "a run ends by itself, and its web UI with it"
_STARTS = "loadgen starts master and workers itself; --workers is their number"
# Options for things that every run already has, or does in its own way.
NEEDLESS = {
    **dict.fromkeys(("csv", "csv_full_history", "html", "json", "json_file"), _REPORTS),
    **dict.fromkeys(("headless", "autostart"), "a run starts by itself"),
    **dict.fromkeys(("only_summary", "print_stats"), "progress is printed by loadgen"),
    **dict.fromkeys(("loglevel", "logfile", "skip_log_setup"), "logs are kept with the results"),
    **dict.fromkeys(
        ("web_host", "web_host_display_name", "headful", "expect_workers_max_wait"), _STARTS
    ),
    "exit_code_on_error": "exit codes are loadgen's own",
}
REFUSED = {
    "autoquit": _ENDS,
    **dict.fromkeys(
        (
            *("master", "worker", "processes", "master_host", "master_port", "master_bind_host"),
            *("web_login", "web_auth", "web_base_path", "build_path", "legacy_ui"),
        ),
        _STARTS,
    ),
    "reset_stats": "--warm-up leaves the first part of a run out",
    "config": "its options belong on loadgen's command line or into an experiment file",
}
# Options that Locust takes after `--`, and that loadgen doesn't look at.
PASSED_ON = (
    *("config_users", "class_picker", "enable_rebalancing", "equal_weights", "profile", "otel"),
)
_VARIABLES = {
    "master": "LOCUST_MODE_MASTER",
    "worker": "LOCUST_MODE_WORKER",
    "master_host": "LOCUST_MASTER_NODE_HOST",
    "master_port": "LOCUST_MASTER_NODE_PORT",
    "class_picker": "LOCUST_USERCLASS_PICKER",
    "otel": "LOCUST_ENABLE_OPENTELEMETRY",
}
_WITHOUT_VARIABLE = {
    *("json", "json_file", "config", "enable_rebalancing", "equal_weights", "profile"),
}
OPTIONS = (*FIELDS, *NEEDLESS, *REFUSED, *PASSED_ON)
VARIABLES = {
    _VARIABLES.get(name, f"LOCUST_{name.upper()}"): name
    for name in OPTIONS
    if name not in _WITHOUT_VARIABLE
}
_SHORT = dict(
    zip(
        ("-f", "-H", "-u", "-r", "-t", "-P", "-T", "-E", "-s"),
        (
            *("locustfile", "host", "users", "spawn_rate", "run_time"),
            *("web_port", "tags", "exclude_tags", "stop_timeout"),
        ),
        strict=True,
    )
)
_PASSES = ("loglevel", "logfile", "skip_log_setup")
_OFF = {"", "0", "false", "no"}


@dataclass
class Found:
    """What Locust's environment and files hold: fields of a run, and a sentence on each find."""

    fields: dict[str, Any] = field(default_factory=dict)
    sentences: list[str] = field(default_factory=list)


def find(environment: Mapping[str, str], home: Path, here: Path) -> Found:
    """Look through Locust's configuration files and environment, the later winning.

    UsageError names an option that a run can't have, where it is set, and what to do.
    """
    found = Found()
    for path in (home / ".locust.conf", here / "locust.conf", here / "pyproject.toml"):
        for name, value in _read(path):
            _take(found, name.replace("-", "_"), value, f"{name} in {path}")
    for variable, name in VARIABLES.items():
        if variable in environment:
            _take(found, name, environment[variable], f"{variable} in the environment")
    return found


def refuse_passed_on(words: Sequence[str]) -> None:
    """Raise UsageError when an option after `--` is one that loadgen has, or sets itself."""
    for word in words:
        flag = word.partition("=")[0]
        name = _SHORT.get(flag, flag.removeprefix("--").replace("-", "_"))
        if not flag.startswith("-") or name in _PASSES:
            continue
        if name in FIELDS:
            raise UsageError(
                f"{flag} after -- has no effect: give {_option(FIELDS[name])} before --"
            )
        reason = REFUSED.get(name) or NEEDLESS.get(name)
        if reason:
            raise UsageError(f"{flag} can't be passed on to Locust: {reason}; leave it out")


def _take(found: Found, name: str, value: Any, place: str) -> None:  # noqa: ANN401 - a file's value
    if name in FIELDS:
        given = _words(value) if name in {"tags", "exclude_tags"} else value
        found.fields[FIELDS[name]] = given
        found.sentences.append(f"{place} is used as {_option(FIELDS[name])}")
    elif str(value).lower() in _OFF:
        return
    elif name in NEEDLESS:
        found.sentences.append(f"{place} is not used: {NEEDLESS[name]}")
    elif name in REFUSED:
        raise UsageError(f"{place} would change how Locust runs: {REFUSED[name]}; remove it")
    else:
        raise UsageError(
            f"{place} is not an option that loadgen accepts from there: give"
            f" --{name.replace('_', '-')} "
            f"after --, and remove it there"
        )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _words(value: object) -> list[str]:
    if isinstance(value, list):
        return [str(one) for one in value]
    return str(value).strip("[]").replace(",", " ").split()


def _read(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the options of a configuration file. UsageError when it can't be read as one."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as fault:
        raise UsageError(
            f"Locust's configuration {path} can't be read: {why_unread(fault)}; correct it, or "
            "move it away"
        ) from fault
    try:
        if path.suffix == ".toml":
            yield from tomllib.loads(text).get("tool", {}).get("locust", {}).items()
        else:
            yield from _parse(text)
    except (tomllib.TOMLDecodeError, AttributeError, ValueError) as fault:
        raise UsageError(
            f"Locust's configuration {path} can't be read: {fault}; correct it, or move it away"
        ) from fault


def _parse(text: str) -> Iterator[tuple[str, Any]]:
    # Its parser is Locust's own for this form; it comes with Locust.
    import configargparse  # noqa: PLC0415

    try:
        yield from (
            configargparse.DefaultConfigFileParser().parse(text.splitlines(keepends=True)).items()
        )
    except configargparse.ConfigFileParserException as fault:
        raise ValueError(str(fault)) from fault
