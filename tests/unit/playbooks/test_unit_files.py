"""Every unit that the roles write, against what RHEL 8's systemd and SELinux policy know."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.playbooks.roles import ROLES, render

RHEL_8 = 239
# Directive to the version of systemd that brought it: systemd's NEWS and its man pages.
SINCE = {
    **dict.fromkeys(["Description", "Wants", "After", "Before", "WantedBy", "Type"], 1),
    **dict.fromkeys(["ExecStart", "ExecReload", "ExecStop", "RemainAfterExit"], 1),
    **dict.fromkeys(["User", "Group", "UMask", "WorkingDirectory", "Environment"], 1),
    **dict.fromkeys(["EnvironmentFile", "LimitNOFILE", "LimitCORE", "CapabilityBoundingSet"], 1),
    **dict.fromkeys(["Restart", "RestartSec", "KillMode", "PrivateTmp", "PartOf"], 38),
    **dict.fromkeys(["TimeoutStopSec", "NoNewPrivileges", "SystemCallFilter"], 188),
    "ReloadPropagatedFrom": 188,
    "Slice": 205,
    **dict.fromkeys(["PrivateDevices", "SystemCallArchitectures", "SystemCallErrorNumber"], 209),
    **dict.fromkeys(["RuntimeDirectory", "RuntimeDirectoryMode", "RestrictAddressFamilies"], 211),
    **dict.fromkeys(["ProtectSystem", "ProtectHome"], 214),
    "StartLimitIntervalSec": 230,
    **dict.fromkeys(["MemoryMax", "RestrictRealtime"], 231),
    **dict.fromkeys(["ProtectKernelTunables", "ProtectKernelModules", "ProtectControlGroups"], 232),
    "RestrictNamespaces": 233,
    **dict.fromkeys(["StateDirectory", "StateDirectoryMode", "LockPersonality"], 235),
    "RuntimeDirectoryPreserve": 235,
    "RestrictSUIDSGID": 242,
    "ProtectHostname": 242,
    "ProtectKernelLogs": 244,
    "ProtectClock": 245,
}
BACKPORTED = {"RestrictSUIDSGID"}
"""In RHEL 8's 239-82 all the same."""
UNKNOWN = {"ProtectHostname", "ProtectClock", "ProtectKernelLogs"}
"""That systemd says so in the journal and goes on."""
VALUES_SINCE = {"@system-service": 239, "strict": 232, "tmpfs": 238}
STARTS_PROGRAMS = re.compile(r"/opt/(.*/)?bin(/.*)?")
"""The one pattern below /opt that RHEL's file contexts label bin_t."""

TEMPLATES = [path for path in sorted(ROLES.rglob("*.j2")) if "systemd" in path.parts]
FROM_ARCHIVE = {
    "grafana_source": "archive",
    "node_exporter_source": "archive",
    "prometheus_source": "archive",
}


def units(**variables: Any) -> Iterator[tuple[str, str]]:
    for path in TEMPLATES:
        yield path.name.removesuffix(".j2"), render(path, **with_programs(path, variables))


def with_programs(path: Path, variables: dict[str, Any]) -> dict[str, Any]:
    """Take each program at its first place, as a host has it."""
    role = path.relative_to(ROLES).parts[0]
    return {**variables, f"__{role}_program": {"path": f"{{{{ _{role}_candidates | first }}}}"}}


def directives(text: str) -> list[tuple[str, str]]:
    joined = text.replace("\\\n", " ")
    found = re.findall(r"^([A-Za-z]+)=(.*)$", joined, re.M)
    assert found
    return found


@pytest.mark.parametrize("unit", [path.name for path in TEMPLATES])
def test_every_directive_is_known_to_rhel_8_but_for_three(unit: str) -> None:
    text = dict(units())[unit.removesuffix(".j2")]
    for name, value in directives(text):
        assert name in SINCE, f"{unit}: {name} is not in SINCE: which systemd brought it?"
        known = SINCE[name] <= RHEL_8 or name in BACKPORTED or name in UNKNOWN
        assert known, f"{unit}: {name} came with systemd {SINCE[name]}, RHEL 8 has {RHEL_8}"
        assert VALUES_SINCE.get(value, 1) <= RHEL_8, f"{unit}: {name}={value}"


def test_the_templates_name_the_three_that_rhel_8_does_not_know() -> None:
    text = (ROLES / "node/templates/sandbox.j2").read_text()
    names = {name for name, _ in directives(text[text.index("RHEL 8's systemd") :])}
    assert names == UNKNOWN


@pytest.mark.parametrize("source", ["archive", "package"])
def test_a_program_below_opt_lies_where_selinux_lets_a_unit_start_it(source: str) -> None:
    started = 0
    for unit, text in units(**dict.fromkeys(FROM_ARCHIVE, source)):
        for name, value in directives(text):
            program = value.lstrip("-").split()[0] if name.startswith("Exec") else ""
            if program.startswith("/opt/"):
                assert STARTS_PROGRAMS.fullmatch(program), f"{unit}: {program}"
                started += 1
    assert started >= 4
