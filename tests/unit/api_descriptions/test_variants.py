"""Descriptions as others write them: what is sent for each odd part, and what is said of it."""

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from loadgen.scenario import api
from tests.unit.api_descriptions.test_scaffold import ANSWER, described, examples, scaffold


def _yaml(text: str, directory: Path) -> Path:
    path = directory / "api.yaml"
    path.write_text("openapi: 3.0.3\ninfo: {title: t, version: 1.0}\npaths:\n" + text)
    return path


def _sent(made: Path) -> list[tuple[str, str, dict[str, str], bytes]]:
    """Return what each operation of a made locustfile would send: method, target, headers, body."""
    sent = []
    for example in examples(made).values():
        headers = dict(example.get("headers", {}))
        target = api._target("/{p}", example.get("path", {"p": ""}), example.get("query", {}))
        body = api._body(example, headers) or b""
        sent.append(("", target, headers, body))
    return sent


def _parameter(style: str, explode: bool, schema: Any, place: str = "query") -> dict[str, Any]:
    return {
        "name": "p", "in": place, "required": True, "style": style, "explode": explode,
        "schema": schema,
    }  # fmt: skip


LIST = {"type": "array", "example": ["a", "b c"]}
OBJECT = {"type": "object", "example": {"r": 1, "g": "x"}}


def test_plain_values_are_those_of_yaml_1_2(tmp_path: Path) -> None:
    given = {
        "on": "no", "y": "2026-01-02", "time": "12:30:45", "oct": "0755", "us": "1_000",
        "nan": ".nan", "v": "1.5", "b": "true", "hex": "0x1F", "n": "-7", "e": "1e3",
        "inf": "-.inf",
    }  # fmt: skip
    lines = "".join(
        f"      - {{name: {name}, in: query, required: true, example: {value}}}\n"
        for name, value in given.items()
    )
    source = _yaml(f"  /a:\n    get:\n      parameters:\n{lines}", tmp_path)
    made = tmp_path / "made.py"
    assert scaffold(source, "--output", made) == 0
    assert examples(made)["get_a"]["query"] == given | {
        "v": 1.5, "b": True, "hex": 31, "n": -7, "e": 1000.0,
    }  # fmt: skip


def test_keys_of_bodies_are_the_texts_that_they_are(tmp_path: Path) -> None:
    body = "{no: on, null: x, 1: one, true: t}"
    content = f"requestBody: {{content: {{application/json: {{example: {body}}}}}}}"
    made = tmp_path / "made.py"
    assert scaffold(_yaml(f"  /a:\n    post:\n      {content}\n", tmp_path), "--output", made) == 0
    right = {"no": "on", "null": "x", "1": "one", "true": "t"}
    assert examples(made)["post_a"]["json"] == right


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_a_key_that_stands_twice_is_said(
    suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"api.{suffix}"
    path.write_text('{"openapi": "3.1.0", "paths": {"/a": {"get": {}}, "/a": {"put": {}}}}')
    if suffix == "yaml":
        path.write_text("openapi: 3.1.0\npaths:\n  /a: {get: {}}\n  /a: {put: {}}\n")
    assert scaffold(path, "--output", tmp_path / "made.py") == 0
    assert (
        "the file has these keys twice, and only the last value of each is used: "
        "/a" in capsys.readouterr().out
    )


def test_parameters_are_sent_in_their_style(tmp_path: Path) -> None:
    queries = {
        "p=a&p=b%20c": ("form", True, LIST),
        "p=a,b%20c": ("form", False, LIST),
        "p=a%20b%20c": ("spaceDelimited", False, LIST),
        "p=a%7Cb%20c": ("pipeDelimited", False, LIST),
        "p%5Br%5D=1&p%5Bg%5D=x": ("deepObject", True, OBJECT),
        "r=1&g=x": ("form", True, OBJECT),
        "p=r,1,g,x": ("form", False, OBJECT),
    }
    ways = {
        "/a,b%20c": ("simple", False, LIST),
        "/r=1,g=x": ("simple", True, OBJECT),
        "/r,1,g,x": ("simple", False, OBJECT),
        "/.a.b%20c": ("label", True, LIST),
        "/.a,b%20c": ("label", False, LIST),
        "/;p=a,b%20c": ("matrix", False, LIST),
        "/;p=a;p=b%20c": ("matrix", True, LIST),
        "/;r=1;g=x": ("matrix", True, OBJECT),
    }
    paths: dict[str, Any] = {}
    for number, way in enumerate(queries.values()):
        paths[f"/q{number}"] = {"get": {"responses": ANSWER, "parameters": [_parameter(*way)]}}
    for number, way in enumerate(ways.values()):
        given = [_parameter(*way, place="path")]
        paths[f"/w{number}/{{p}}"] = {"get": {"responses": ANSWER, "parameters": given}}
    made = tmp_path / "made.py"
    assert scaffold(described(tmp_path / "api.json", paths), "--output", made) == 0
    targets = [target for _, target, _, _ in _sent(made)]
    assert targets == [*(f"/?{query}" for query in queries), *ways]
    assert parse_qsl(urlsplit(targets[0]).query) == [("p", "a"), ("p", "b c")]


def _bodies(contents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        f"/{number}": {"post": {"responses": ANSWER, "requestBody": {"content": content}}}
        for number, content in enumerate(contents)
    }


def test_files_of_a_form_are_sent_as_files(tmp_path: Path) -> None:
    properties = {
        "f": {"type": "string", "format": "binary"},
        "g": {"type": "array", "items": {"type": "string", "format": "binary"}},
        "h": {"contentMediaType": "image/png"},
        "n": {"type": "integer"},
        "o": {"type": "object", "properties": {"x": {"type": "string"}}},
    }
    schema = {"type": "object", "properties": properties}
    content = {"multipart/form-data": {"schema": schema}}
    made = tmp_path / "made.py"
    assert scaffold(described(tmp_path / "a.json", _bodies([content])), "--output", made) == 0
    ((_, _, headers, body),) = _sent(made)
    assert headers["Content-Type"].startswith("multipart/form-data; boundary=")
    for name in "fgh":
        assert f'name="{name}"; filename="{name}.bin"\r\n'.encode() in body
    assert body.count(b"Content-Type: application/octet-stream") == 3
    assert b'name="n"\r\n\r\n1\r\n' in body
    assert b'name="o"\r\nContent-Type: application/json\r\n\r\n{"x": "example"}' in body


def test_a_body_of_any_type_is_json_and_one_of_xml_is_left_to_the_person(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = {"schema": {"type": "object", "properties": {"a": {"const": 1}}}}
    paths = _bodies([{"*/*": schema}, {"application/xml": schema}])
    made = tmp_path / "made.py"
    assert scaffold(described(tmp_path / "a.json", paths), "--output", made) == 0
    (_, _, headers, body), (_, _, _, empty) = _sent(made)
    assert (headers["Content-Type"], json.loads(body), empty) == ("application/json", {"a": 1}, b"")
    assert "a body of application/xml can't be generated from a schema" in capsys.readouterr().out


def test_the_first_way_in_that_can_be_gone_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schemes = {
        "mutual": {"type": "mutualTLS"},
        "digest": {"type": "http", "scheme": "digest"},
        "basic": {"type": "http", "scheme": "Basic"},
        "key": {"type": "apiKey", "in": "query", "name": "k"},
    }
    wanted: dict[str, Any] = {
        "/a": [{"mutual": []}, {"key": []}],
        "/b": [{"digest": []}],
        "/c": [{"unknown": []}],
        "/d": [{"basic": []}],
    }
    paths = {
        path: {"get": {"responses": ANSWER, "security": ways}} for path, ways in wanted.items()
    }
    source = described(tmp_path / "a.json", paths, components={"securitySchemes": schemes})
    made = tmp_path / "made.py"
    assert scaffold(source, "--output", made) == 0
    said, sent = capsys.readouterr().out, examples(made)
    assert sent["get_a"]["secrets"] == [["query", "k", "", "SCAFFOLD_KEY"]]
    assert "secrets" not in sent["get_b"]
    assert "secrets" not in sent["get_c"]
    assert "secret: set SCAFFOLD_BASIC (user:password) before a run" in said
    assert "secret: set SCAFFOLD_KEY (the key or token) before a run" in said
    for path, scheme in (("/b", "digest"), ("/c", "unknown")):
        assert f"GET {path} is sent without its authentication" in said
        assert f"doesn't say enough about it: {scheme}" in said


def test_headers_that_http_cannot_carry_are_left_out_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"X-\xdc": "1", "X-Line": "a\r\nb: 1", "X-Euro": "\u20ac", "X-Good": "caf\xe9"}
    parameters = [
        {"name": name, "in": "header", "required": True, "example": value}
        for name, value in given.items()
    ]
    paths = {"/a": {"get": {"responses": ANSWER, "parameters": parameters}}}
    made = tmp_path / "made.py"
    assert scaffold(described(tmp_path / "a.json", paths), "--output", made) == 0
    assert examples(made)["get_a"]["headers"] == {"X-Good": "caf\xe9"}
    assert capsys.readouterr().out.count("because HTTP can't carry it: the header") == 3


@pytest.mark.parametrize(
    ("url", "host", "base", "words"),
    [
        ("api", "None", "/api/a", ""),
        ("/api/v3/", "None", "/api/v3/a", ""),
        ("https://u:S3cret@x.example:443/v1?x=1", "'https://x.example'", "/v1/a", ""),
        ("https://{env}.x.example/v1", "None", "/v1/a", "lacks values for {env}"),
        ("https://x.example/{v}", "'https://x.example'", "/a", "lacks values for {v}"),
        ("//x.example/v1", "None", "/v1/a", ""),
    ],
)
def test_the_server_is_used_as_far_as_it_is_said(
    url: str, host: str, base: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = described(tmp_path / "a.json", {"/a": {"get": {}}}, servers=[{"url": url}])
    made = tmp_path / "made.py"
    assert scaffold(source, "--output", made) == 0
    text, said = made.read_text(), capsys.readouterr().out
    assert f'self.call("GET", "{base}", "get_a")' in text
    assert ("host =" in text) == (host != "None")
    assert words in said
    assert "S3cret" not in text + said


def test_numbers_are_within_their_bounds(tmp_path: Path) -> None:
    schemas = [
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 0.5}, 0.25),
        ({"type": "integer", "exclusiveMaximum": 1}, 0),
        ({"type": "integer", "maximum": -5}, -5),
        ({"type": "number", "multipleOf": 0.1, "minimum": 0.25}, 0.3),
        ({"type": "integer", "minimum": 5, "maximum": 5}, 5),
    ]
    parameters = [
        {"name": str(number), "in": "query", "required": True, "schema": schema}
        for number, (schema, _) in enumerate(schemas)
    ]
    paths = {"/a": {"get": {"responses": ANSWER, "parameters": parameters}}}
    made = tmp_path / "made.py"
    assert scaffold(described(tmp_path / "a.json", paths), "--output", made) == 0
    assert list(examples(made)["get_a"]["query"].values()) == [right for _, right in schemas]


def test_odd_parts_of_a_description_spoil_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = {
        "/good": {"get": {"responses": ANSWER}},
        "bare": {"get": {}},
        "x-own": {"get": {}},
        "/trace": {"trace": {}},
        "/half\ud800": {"get": {"summary": "\udc00"}},
        "/never": _bodies(
            [{"application/json": {"schema": {"properties": {"n": False, "a": {}}}}}]
        )["/0"],
    }
    made = tmp_path / "made.py"
    assert scaffold(described(tmp_path / "a.json", paths), "--output", made) == 0
    said, sent = capsys.readouterr().out, examples(made)
    assert set(sent) == {"get_good", "trace_root", "get_half", "post_never"}
    assert "left out, because it doesn't begin with a slash: bare" in said
    assert sent["post_never"]["json"] == {"a": "example"}
    spec = importlib.util.spec_from_file_location("made_of_odd_parts", made)
    assert spec
    assert spec.loader
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "AsyncAPI": ({"asyncapi": "2.6.0", "channels": {}}, "an AsyncAPI description"),
    "HAR": ({"log": {"entries": []}}, "give it to loadgen record"),
    "Insomnia": ({"_type": "export", "__export_format": 4}, "export it as HAR"),
    "JSON Schema": ({"$schema": "x", "type": "object"}, "describes no operations"),
    "webhooks": ({"openapi": "3.1.0", "webhooks": {}}, "which the API itself calls"),
    "in other files": (
        {"openapi": "3.1.0", "paths": {"/a": {"$ref": "./a.yaml"}}},
        "because its paths are in other files (./a.yaml): bundle it into one file first",
    ),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_cannot_be_loaded_is_named_with_the_next_step(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document, words = OTHERS[kind]
    path = tmp_path / "api.json"
    path.write_text(json.dumps(document))
    assert scaffold(path, "--output", tmp_path / "made.py") == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
