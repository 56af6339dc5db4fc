"""Where the modules are now that locustfiles of release 0.1 import."""

import re
import traceback

_OF_RELEASE_0_1 = re.compile(
    r"\b(?P<module>locustfiles\.(clients|shapes)(\.\w+)*|operations(\.\w+)*)"
)
_NAMES = re.compile(r"\bimport\s+\(?(?P<names>[\w, ]+)")
_NEW_PLACES = {"locustfiles.clients.dspace": "locustfiles.dspace_client"}


def new_place(error: ModuleNotFoundError) -> str:
    """Say where what was not found is since 0.2.0, and what to write; empty for other modules."""
    frames = traceback.extract_tb(error.__traceback__)
    found = _OF_RELEASE_0_1.search((frames[-1].line if frames else None) or "")
    if found is None or not str(error.name).startswith(("locustfiles", "operations")):
        return ""
    old, imported = found["module"], _NAMES.search(found.string)
    if old.startswith("operations"):
        return f"it imports {old}, which is inside loadgen since 0.2.0: no scenario needs it"
    new = _NEW_PLACES.get(old) or old.replace("locustfiles.clients", "loadgen.scenario", 1).replace(
        "locustfiles.shapes", "loadgen.scenario.shapes", 1
    )
    said = f"it imports {old}, which is {new} since 0.2.0"
    names = [one.strip() for one in imported["names"].split(",") if one.strip()] if imported else []
    if names and all(_is_public(one.partition(" ")[0]) for one in names):
        new = "loadgen.scenario"
    return f"{said}: write `from {new} import {', '.join(names) or '…'}`"


def _is_public(name: str) -> bool:
    import loadgen.scenario  # noqa: PLC0415 - it imports Locust

    return name in loadgen.scenario.__all__
