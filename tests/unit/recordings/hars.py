"""Small recordings, and what `loadgen record` makes of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from loadgen.cli.main import main

SITE = "https://site.example"
Entry = dict[str, Any]


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
