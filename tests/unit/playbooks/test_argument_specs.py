"""Every default of a role stands in its argument specification, with the same value, and back."""

from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = Path(__file__).parents[3] / "playbooks" / "roles"
NAMES = sorted(path.name for path in ROLES.iterdir() if path.is_dir())


def read(role: str, path: str) -> dict[str, Any]:
    file = ROLES / role / path
    return (yaml.safe_load(file.read_text()) or {}) if file.exists() else {}


def options(role: str) -> dict[str, dict[str, Any]]:
    entry = read(role, "meta/argument_specs.yml")
    found: dict[str, dict[str, Any]] = entry["argument_specs"]["main"].get("options") or {}
    return found


@pytest.mark.parametrize("role", NAMES)
def test_defaults_and_specification_have_the_same_values(role: str) -> None:
    specified = {name: one["default"] for name, one in options(role).items() if "default" in one}
    assert specified == read(role, "defaults/main.yml")


@pytest.mark.parametrize("role", NAMES)
def test_every_option_is_described_and_carries_its_roles_name(role: str) -> None:
    for name, one in options(role).items():
        assert name.startswith(f"{role}_")
        assert one["description"]
        assert one["type"]


@pytest.mark.parametrize("role", NAMES)
def test_every_default_has_a_comment(role: str) -> None:
    file = ROLES / role / "defaults" / "main.yml"
    lines = file.read_text().splitlines() if file.exists() else []
    for number, line in enumerate(lines):
        if line.startswith(f"{role}_"):
            assert any(one.startswith("#") for one in lines[max(0, number - 3) : number]), line
