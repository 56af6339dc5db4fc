"""A recording from elsewhere becomes a locustfile with nothing of the site's as code, or none."""

import ast
import contextlib
import copy
import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadgen.recordings.command import record
from loadgen.shared.errors import UsageError
from tests.attackers.test_bad_workers import places, with_wrong
from tests.faults.record import Outcome

PART = "Attackers: parsers"
CODE = "PWNED"
INJECTIONS = (
    f"{{{CODE}}}", f"{{{CODE}()}}", f'"""\n{CODE}\n"""', f"'''\n{CODE}\n'''", f"' + {CODE} + '",
    f'" + {CODE} + "', f"\\\n{CODE}", f"x\r{CODE}", f"{{{{ {CODE} }}}}", f"{{% {CODE} %}}",
    f"x'}}), {CODE}(", f"\u2028{CODE}", f"\\N{{{CODE}}}", f"#\n{CODE}", f"²{CODE}", "\0" + CODE,
)  # fmt: skip
SECRET = "s3cret-token-0123456789"


def entry(path: str, method: str = "GET", body: str | None = None) -> dict[str, Any]:
    return {
        "startedDateTime": "2026-11-21T10:00:00.000Z",
        "time": 5,
        "request": {
            "method": method,
            "url": f"https://shop.example{path}",
            "headers": [{"name": "accept", "value": "text/html"}, {"name": "x-own", "value": "v"}],
            "bodySize": 0,
            **({"postData": {"mimeType": "application/json", "text": body}} if body else {}),
        },
        "response": {
            "status": 200,
            "headers": [{"name": "content-type", "value": "text/html"}],
            "content": {"mimeType": "text/html", "text": "<title>Shop</title>"},
        },
    }


HAR: dict[str, Any] = {
    "log": {
        "version": "1.2",
        "creator": {"name": "x", "version": "1"},
        "entries": [
            entry("/"),
            entry(f"/items/7?api_key={SECRET}&q=x"),
            entry("/login", "POST", '{"username": "u", "password": "correct horse", "n": 1.5}'),
        ],
    }
}
PLACES = [place for place in places(HAR) if place]


def convert(directory: Path, har: Any, name: str = "session.har") -> ast.Module | None:
    """Write a recording and convert it; None when it is refused in a sentence."""
    path, output = directory / name, directory / "made.py"
    output.unlink(missing_ok=True)
    path.write_text(har if isinstance(har, str) else json.dumps(har))
    with contextlib.suppress(UsageError):
        record(Namespace(har=path, output=output, host=None))
    if not output.exists():
        return None
    return ast.parse(output.read_text())


def names(made: ast.Module) -> set[str]:
    """Every name that the source would look up or import."""
    found = {node.id for node in ast.walk(made) if isinstance(node, ast.Name)}
    found |= {node.attr for node in ast.walk(made) if isinstance(node, ast.Attribute)}
    imports = (node for node in ast.walk(made) if isinstance(node, ast.Import | ast.ImportFrom))
    return found | {alias.name for node in imports for alias in node.names}


def test_the_recording_itself_converts(tmp_path: Path) -> None:
    made = convert(tmp_path, HAR)
    assert made
    assert SECRET not in ast.unparse(made)
    assert "environ" in names(made)


@pytest.mark.fault(
    PART,
    f"A HAR file contains {len(INJECTIONS)} kinds of code in addresses, headers, bodies and names.",
)
def test_nothing_of_a_site_becomes_code(tmp_path: Path, outcome: Outcome) -> None:
    made = 0
    url = HAR["log"]["entries"][1]["request"]["url"]
    for code in INJECTIONS:
        hars = [
            with_wrong(HAR, ("log", "entries", 1, "request", "url"), url + code),
            with_wrong(HAR, ("log", "entries", 1, "request", "url"), url.replace("items", code)),
            with_wrong(HAR, ("log", "entries", 1, "request", "method"), code),
            with_wrong(HAR, ("log", "entries", 2, "request", "headers", 1, "value"), code),
            with_wrong(HAR, ("log", "entries", 2, "request", "headers", 1, "name"), code),
            with_wrong(HAR, ("log", "entries", 2, "request", "postData", "text"), code),
            with_wrong(
                HAR, ("log", "entries", 1, "response", "content", "text"), f"<title>{code}</title>"
            ),
            json.loads(json.dumps(HAR).replace("shop.example", json.dumps(code)[1:-1])),
        ]
        everywhere = copy.deepcopy(hars[0])
        everywhere["log"]["entries"] += [one["log"]["entries"][2] for one in hars[3:6]]
        for har in [*hars, everywhere]:
            converted = convert(tmp_path, har)
            if converted:
                made += 1
                assert not any(CODE in name for name in names(converted)), ast.unparse(converted)
    for name in ('a""" + PWNED + """.har', "PWNED\n.har", "{PWNED}.har"):
        converted = convert(tmp_path, HAR, name)
        assert converted
        assert "PWNED" not in names(converted)
    assert made > len(INJECTIONS)
    outcome(
        f"{made} locustfiles are written, none of which runs recorded text as code; the other "
        "files are refused."
    )


VALUES = st.one_of(
    st.none(), st.integers(), st.floats(), st.text(max_size=10), st.just([]), st.just({}),
    st.just([[]]), st.just([{}]), st.sampled_from(INJECTIONS), st.just({"text": 5}),
)  # fmt: skip


@pytest.mark.fault(
    PART, "HAR files contain random bytes, deep nesting, and random values in random fields."
)
def test_a_har_that_is_none_is_refused_in_a_sentence(tmp_path: Path, outcome: Outcome) -> None:
    for text in (
        "[" * 100_000,
        '{"log":' * 5000,
        "9" * 5000,
        "",
        "null",
        '{"log": {"entries": 5}}',
    ):
        assert convert(tmp_path, text) is None

    @settings(max_examples=40, deadline=None)
    @given(st.sampled_from(PLACES), VALUES)
    def check(place: tuple[Any, ...], value: Any) -> None:
        made = convert(tmp_path, with_wrong(HAR, place, value))
        assert made is None or not any(CODE in name for name in names(made))

    check()
    outcome("Each HAR file results in a locustfile, or in the kit's own one-sentence error.")
