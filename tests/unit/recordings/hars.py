"""Small recordings, and what `loadgen record` makes of them."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from loadgen.cli.main import main

SITE = "https://site.example"
Entry = dict[str, Any]
FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}
MULTIPART = {"content-type": "multipart/form-data; boundary=bb"}
TITLE = {"text": "<title>Shop</title>"}


def entry(number: int, method: str, path: str, **given: Any) -> Entry:
    """Return an entry as Firefox writes it: without `_resourceType`."""
    pairs = {"accept": "text/html"} | given.get("headers", {})
    mime = given.get("mime", "text/html")
    answer = {"content-type": mime} | given.get("answer", {})
    posted = given.get("body")
    request: Entry = {
        "method": method,
        "url": given.get("site", SITE) + path,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "queryString": [],
        "headersSize": -1,
        "bodySize": -1,
        "headers": [{"name": name, "value": value} for name, value in pairs.items()],
    }
    if posted:
        request["postData"] = {"mimeType": pairs.get("content-type", ""), "text": posted}
    return {
        "startedDateTime": f"2026-11-21T10:00:{number * 2:02}.000Z",
        "time": 500,
        "request": request,
        "response": {
            "status": given.get("status", 200),
            "headers": [{"name": name, "value": value} for name, value in answer.items()],
            "content": {"mimeType": mime, "text": "", **given.get("content", {})},
        },
    }


def write(path: Path, entries: object) -> Path:
    path.write_text(json.dumps({"log": {"version": "1.2", "creator": {}, "entries": entries}}))
    return path


def run_record(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["record", *map(str, arguments)])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def made(
    directory: Path, capsys: pytest.CaptureFixture[str], entries: list[Any], *options: str
) -> tuple[str, str]:
    """Return the made source and what was said."""
    output = directory / "made.py"
    har = write(directory / "shop.har", entries)
    assert run_record(har, "--output", output, *options) == 0, capsys.readouterr().err
    return output.read_text(), capsys.readouterr().out


def sends(source: str) -> list[dict[str, Any]]:
    """Return the arguments of each `self.send`; what is no constant as its source."""
    calls = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "self.send":
            given = {"method": value_of(node.args[0]), "path": value_of(node.args[1])}
            given |= {str(one.arg): value_of(one.value) for one in node.keywords}
            calls.append(given)
    return calls


def value_of(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        if isinstance(node, ast.Dict):
            keys = [ast.literal_eval(key) for key in node.keys if key]
            return dict(zip(keys, map(value_of, node.values), strict=True))
        if isinstance(node, ast.Tuple | ast.List):
            return [value_of(one) for one in node.elts]
        return ast.unparse(node)
