"""The table in docs/scenarios.md, each source, and what becomes of it: made here, by doing it.

python -m tests.unit.recordings.test_table     prints it, to be put into the page
"""

import contextlib
import gzip
import io
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from loadgen.cli.main import main
from loadgen.shared.project import PROJECT
from tests.unit.recordings.hars import SITE, Entry, entry, write

PAGE = {"text": "<title>Shop</title>"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
HEADING = "| input | output of the command, or line of the generated file |\n|---|---|\n"
LINE = '192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "{} HTTP/1.1" {} 5 "-" "Fox"\n'


def _har(*entries: Any) -> Callable[[Path], list[str | Path]]:
    first: Entry = entry(0, "GET", "/", content=PAGE)
    return lambda place: ["record", write(place / "shop.har", [first, *entries])]


def _log(text: str, *, packed: bool = False) -> Callable[[Path], list[str | Path]]:
    def made(place: Path) -> list[str | Path]:
        log = place / "access.log"
        content = text.encode()
        log.write_bytes(gzip.compress(content)[:-30] if packed else content)
        return ["mix", log]

    return made


def _api(document: Any) -> Callable[[Path], list[str | Path]]:
    def made(place: Path) -> list[str | Path]:
        (place / "openapi.json").write_text(json.dumps(document))
        return ["scaffold", place / "openapi.json"]

    return made


def _odd() -> Entry:
    made = entry(1, "GET", "/odd")
    made["response"] = None
    return made


def _described(schema: Any) -> dict[str, Any]:
    answer = {"description": "x", "content": {"application/json": {"schema": schema}}}
    operation = {"responses": {"200": answer}, "security": [{"key": []}]}
    scheme = {"type": "apiKey", "in": "header", "name": "X-Key"}
    return {
        "openapi": "3.1.0",
        "paths": {"/items/{id}": {"get": operation}},
        "components": {"securitySchemes": {"key": scheme}},
    }


def _with_token() -> dict[str, Any]:
    parameter = {"in": "path", "name": "key", "required": True, "example": RESET.split("/")[2]}
    operation = {"parameters": [parameter], "responses": {"200": {"description": "x"}}}
    return {"openapi": "3.1.0", "paths": {"/reset/{key}/confirm": {"get": operation}}}


def _login() -> Entry:
    return entry(1, "POST", "/login", headers=FORM, body="user=ann&password=Zebra-9&csrf=x")


def _cookie() -> list[Entry]:
    token = "eyJpdiI6IjFhMmIzYzRk"
    first = entry(1, "GET", "/start", answer={"set-cookie": f"tok={token}"})
    return [first, entry(2, "POST", "/save", headers={"x-csrf": token})]


W3C = (
    "#Fields: date time cs-method cs-uri-stem c-ip sc-status\n"
    "2026-10-10 13:55:36 GET /a 192.0.2.1 200\n"
)
RESET = "/reset/3f9a0c1b2d4e5f60718293a4b5c6d7e8f9012345/confirm"
NOISE = "".join(LINE.format(f"GET /{number * 7919}", 200) for number in range(300))
# What it is, how it is made, and the line of the output, or the part of the file, that tells.
SOURCES: dict[str, tuple[Callable[[Path], list[str | Path]], str]] = {
    "HAR: a login": (_har(_login()), r"secret removed: .*"),
    "HAR: a key in a header": (
        _har(entry(1, "GET", "/a", headers={"x-api-key": "key-of-ann"})),
        r"secret removed: .*",
    ),
    "HAR: a password in a URL": (
        _har(entry(1, "GET", "/a", site="https://ann:Zebra-9@site.example")),
        r"secret removed: .*",
    ),
    "HAR: a token from a cookie": (_har(*_cookie()), r'"x-csrf": self.cookie\("tok"\)'),
    "HAR: a token in a path": (_har(entry(1, "GET", RESET)), r"secret removed: .*"),
    "HAR: a token in a path that a response had": (
        _har(
            entry(1, "GET", "/mail", content={"text": f"<a href='{RESET}'>"}),
            entry(2, "GET", RESET),
        ),
        r"self.v\[.*\]",
    ),
    "HAR: a request without a response": (_har(_odd()), r"left out: request 2.*"),
    "HAR: headers of a proxy": (
        _har(entry(1, "GET", "/a", headers={"via": "1.1 proxy"})),
        r"left out: headers .*",
    ),
    "HAR: a WebSocket": (_har(entry(1, "GET", "/live", status=101)), r"left out: the Web.*"),
    "HAR: an event stream": (
        _har(entry(1, "GET", "/news", mime="text/event-stream")),
        r"left out: the stream .*",
    ),
    "HAR: another site": (
        _har(entry(1, "GET", "/ad", site="https://ads.example")),
        r"left out: 1 requests to .*",
    ),
    "HAR: a cookie that no response sets": (
        _har(entry(1, "GET", "/a", headers={"cookie": "sid=1"})),
        r"check this one: a user starts .*",
    ),
    "HAR: a URL that is not HTTP": (
        _har(entry(1, "GET", "", site="blob:https://site.example/1")),
        r"left out: 1 requests that are not .*",
    ),
    "HAR: a session of another tool": (
        lambda place: ["record", _written(place / "shop.chlsj", '[{"protocolVersion": "1"}]')],
        r"recording .*",
    ),
    "HAR: a truncated file": (
        lambda place: ["record", _cut(write(place / "shop.har", [entry(0, "GET", "/")]))],
        r"recording .*",
    ),
    "access log: a POST request": (_log(LINE.format("POST /a", 200) + NOISE), r"left out: POST.*"),
    "access log: an error response": (
        _log(LINE.format("GET /a", 404) + NOISE),
        r"left out: answered.*",
    ),
    "access log: a line that can't be parsed": (_log(NOISE + "broken\n"), r"left out: 1 lines .*"),
    "access log: a token in a URL": (
        _log(LINE.format("GET /a?token=x", 200)),
        r"removed from the URLs.*",
    ),
    "access log: a token in a path": (
        _log(LINE.format(f"GET {RESET}", 200) + NOISE),
        r"left out: .*a secret.*",
    ),
    "access log: times without a time zone": (
        _log(NOISE.replace(" +0000", "")),
        r"check this one: the times .*?UTC",
    ),
    "access log: a truncated gzip file": (
        _log(NOISE, packed=True),
        r"check this one: .*after line",
    ),
    "access log: IIS format": (_log(W3C), r"read \d+ lines: .*? visits"),
    "access log: a CSV file": (_log("time,level\n"), r".*can't be read as an access log.*"),
    "access log: an unknown format": (
        _log("a line\n"),
        r".*can't be read as an access log.*?formats:",
    ),
    "OpenAPI: a token as an example": (_api(_with_token()), r"secret: .*"),
    "OpenAPI: an API key": (_api(_described({})), r"secret: .*"),
    "OpenAPI: unsupported authentication": (
        _api(
            {
                "openapi": "3.1.0",
                "paths": {"/a": {"get": {"security": [{"mutual": []}]}}},
                "components": {"securitySchemes": {"mutual": {"type": "mutualTLS"}}},
            }
        ),
        r"check this one: GET /a .*",
    ),
    "OpenAPI: paths in other files": (
        _api({"openapi": "3.1.0", "paths": {"/a": {"$ref": "./a.yaml"}}}),
        r".*describes no operation.*",
    ),
    "OpenAPI: a remote reference": (
        _api(_described({"$ref": "https://elsewhere.example/x.json"})),
        r"this reference can't be resolved.*",
    ),
    "OpenAPI: Swagger 2.0": (_api({"swagger": "2.0"}), r".*is a Swagger.*"),
}


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def _cut(path: Path) -> Path:
    path.write_text(path.read_text()[:-50])
    return path


def _said(make: Callable[[Path], list[str | Path]], pattern: str) -> str:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        words = [*map(str, make(place)), "--output", str(place / "made.py")]
        output = io.StringIO()
        with (
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(output),
            contextlib.suppress(SystemExit),
        ):
            main(words)
        made = place / "made.py"
        text = output.getvalue() + (made.read_text() if made.exists() else "")
        found = re.search(pattern, text)
        assert found, text
        return found.group().replace(f"{place}/", "").replace(SITE, "https://site.example")


def table() -> Iterator[str]:
    """Yield the table's lines."""
    yield from HEADING.splitlines()
    for source, (make, pattern) in SOURCES.items():
        said = _said(make, pattern).removeprefix("loadgen: ").replace("|", "\\|")
        yield f"| {source} | {said if '`' in said else f'`{said}`'} |"


def test_the_table_in_the_documentation_is_what_becomes_of_each_source() -> None:
    page = (PROJECT / "docs" / "scenarios.md").read_text()
    assert "\n".join(table()) in page, "print it by python -m tests.unit.recordings.test_table"


if __name__ == "__main__":
    print("\n".join(table()))
