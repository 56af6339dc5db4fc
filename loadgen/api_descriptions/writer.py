"""From operations to what is written: a locustfile, and the answers' schemas beside it."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from loadgen.api_descriptions import schemas
from loadgen.api_descriptions.description import Description
from loadgen.api_descriptions.operations import Operation
from loadgen.shared.made_source import class_name, format_source, in_docstring
from loadgen.shared.origin import origin

TAKEN = {"Answers", "ApiUser", "Path"}
LONGEST_TITLE = 80


def server(description: Description) -> tuple[str | None, str]:
    """Return the host that a description names, if any, and what comes before its paths."""
    servers = description.document.get("servers")
    first = servers[0] if isinstance(servers, list) and servers else {}
    url = str(first.get("url", "")) if isinstance(first, dict) else ""
    variables = first.get("variables") if isinstance(first, dict) else None
    for name, one in (variables if isinstance(variables, dict) else {}).items():
        default = one.get("default", "") if isinstance(one, dict) else ""
        url = url.replace(f"{{{name}}}", str(default))
    missing = re.findall(r"{[^{}]*}", url)
    if missing:
        description.notes.append(f"the server {url} lacks values for {', '.join(missing)}")
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https"} and "{" not in parts.netloc
        host = origin(url) if known else None
    except ValueError:
        return None, ""
    base = parts.path.strip("/")
    return host, f"/{base}" if base and "{" not in base else ""


def locustfile(
    description: Description,
    operations: Sequence[Operation],
    output: Path,
    host: str | None,
    base: str,
) -> str:
    """Return the locustfile's source."""
    info = description.document.get("info")
    title = str(info.get("title", "")) if isinstance(info, dict) else ""
    variables = {variable: form for one in operations for variable, form in one.variables.items()}
    values = {
        "title": in_docstring(title, LONGEST_TITLE) or "an API",
        "source": in_docstring(description.path.name, LONGEST_TITLE),
        "class_name": class_name(output.stem, TAKEN),
        "host": host,
        "examples": repr({one.name: plain(one.sent) for one in operations}),
        "variables": repr(variables) if variables else "",
        "operations": [
            {
                "name": one.name,
                "method": one.method,
                "path": base + one.path,
                "title": in_docstring(f"Call {one.method} {one.path}", LONGEST_TITLE),
                "writes": one.writes,
            }
            for one in operations
        ],
    }
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True)  # noqa: S701 - it makes Python, whose texts are written by repr
    return format_source(environment.get_template("locustfile.jinja2").render(values))


def answers(description: Description, operations: Sequence[Operation]) -> str:
    """Return the schemas as JSON."""
    document = {
        "components": schemas.components(description),
        "answers": {one.name: one.answers for one in operations},
    }
    return json.dumps(plain(document), indent=1, ensure_ascii=False) + "\n"


def plain(node: Any) -> Any:  # noqa: ANN401 - JSON is anything
    """Return values as JSON has them: YAML also has dates, and keys that are no texts."""
    if isinstance(node, dict):
        return {str(name): plain(value) for name, value in node.items()}
    if isinstance(node, list | tuple | set):
        return [plain(one) for one in node]
    if node is None or isinstance(node, bool | int | str):
        return node
    if isinstance(node, float):
        return node if abs(node) < 1e300 else 0.0
    return node.isoformat() if hasattr(node, "isoformat") else str(node)
