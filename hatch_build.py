"""Gives the wheel its dependencies: what the lock files name, so that each fact has one owner."""

from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

ROLES = ("node", "results", "target", "controller")


class LockedDependencies(MetadataHookInterface):
    """Takes `name==version ; marker` from the locks of every role of a machine that runs load."""

    def update(self, metadata: dict[str, object]) -> None:
        """Add the dependencies."""
        lines = [line for role in ROLES for line in locked(Path(self.root), role)]
        metadata["dependencies"] = sorted(dict.fromkeys(lines))


def locked(root: Path, role: str) -> list[str]:
    """Return a role's locked requirements without their hashes."""
    lines = (root / "requirements" / f"{role}.txt").read_text().splitlines()
    return [line.rstrip("\\ ") for line in lines if line and line[0] not in "# -"]
