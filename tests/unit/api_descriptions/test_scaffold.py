"""`loadgen scaffold`: what it makes of good descriptions, and says of bad ones."""

import ast
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from loadgen.cli.main import main
from loadgen.cluster.inspection import look_at
from loadgen.scenario.api import Answers
from loadgen.shared.project import PROJECT

HERE = Path(__file__).parent
DJANGO = PROJECT / "loadgen" / "simulators" / "django_site" / "static" / "openapi.json"
ANSWER = {"200": {"description": "ok"}}


def scaffold(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["scaffold", *map(str, arguments)])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def described(path: Path, paths: dict[str, Any], **more: Any) -> Path:
    document = {"openapi": "3.1.0", "info": {"title": "x"}, "paths": paths, **more}
    path.write_text(json.dumps(document))
    return path


def examples(made: Path) -> Any:
    """Return EXAMPLES of a made locustfile."""
    for node in ast.parse(made.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "EXAMPLES":
            return ast.literal_eval(node.value)
    raise AssertionError(made.read_text())


@pytest.mark.parametrize("source", [HERE / "dspace.yaml", DJANGO], ids=["3.0", "3.1"])
def test_a_description_becomes_a_locustfile_that_is_clean_and_loads(
    source: Path, tmp_path: Path
) -> None:
    made = tmp_path / "api.py"
    assert scaffold(source, "--output", made, "--host", "http://127.0.0.1:9") == 0
    for check in (["check"], ["format", "--check"]):
        house = ["--config", str(PROJECT / "pyproject.toml"), str(made)]
        subprocess.run([sys.executable, "-m", "ruff", *check, *house], check=True, timeout=30)
    found = look_at([str(made)], {**os.environ, "SCAFFOLD_JWT": "x"})
    assert (found.error, list(found.user_classes)) == (None, ["Api"])
    assert "reads" in found.tags


def test_examples_come_from_the_description_or_its_types(tmp_path: Path) -> None:
    made = tmp_path / "api.py"
    schema = {
        "type": "object",
        "required": ["n"],
        "properties": {
            "n": {"type": "integer", "minimum": 5},
            "s": {"type": "string", "maxLength": 3},
            "e": {"enum": ["a", "b"]},
            "d": {"type": "string", "format": "date"},
            "own": {"type": "number", "readOnly": True},
            "list": {"type": "array", "items": {"type": "boolean"}},
            "either": {"oneOf": [{"const": 4}, {"type": "string"}]},
        },
    }
    body = {"content": {"application/json": {"schema": schema}}}
    parameters = [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}},
        {"name": "q", "in": "query", "examples": {"one": {"value": "x y"}}},
        {"name": "rare", "in": "query", "schema": {"type": "string"}},
        {"name": "X-Own", "in": "header", "required": True, "schema": {"default": 7}},
    ]
    operation = {"requestBody": body, "parameters": parameters, "responses": ANSWER}
    assert (
        scaffold(described(tmp_path / "a.json", {"/a/{id}": {"put": operation}}), "-o", made) == 0
    )
    assert examples(made)["put_a_id"] == {
        "path": {"id": 1},
        "query": {"q": "x y"},
        "headers": {"X-Own": "7"},
        "type": "application/json",
        "json": {
            "n": 5, "s": "exa", "e": "a", "d": "2026-01-15", "list": [True], "either": 4,
        },
    }  # fmt: skip


def test_secrets_are_read_from_the_environment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schemes = {
        "token": {"type": "http", "scheme": "bearer"},
        "pair": {"type": "http", "scheme": "basic"},
        "key": {"type": "apiKey", "in": "query", "name": "k"},
        "login": {"type": "openIdConnect", "openIdConnectUrl": "https://x.example"},
    }
    paths = {
        f"/{name}": {"get": {"security": [{name: []}], "responses": ANSWER}} for name in schemes
    }
    paths["/open"] = {"get": {"security": [], "responses": ANSWER}}
    source = described(
        tmp_path / "a.json",
        paths,
        components={"securitySchemes": schemes},
        security=[{"token": []}],
        servers=[{"url": "https://ann:s3cret@shop.example/v1"}],
    )
    made = tmp_path / "api.py"
    assert scaffold(source, "-o", made) == 0
    said, text = capsys.readouterr().out, made.read_text()
    assert "s3cret" not in said + text
    assert 'host = "https://shop.example"' in text
    assert '"/v1/token"' in text
    sent = examples(made)
    assert sent["get_token"]["secrets"] == [
        ["headers", "Authorization", "Bearer ", "SCAFFOLD_TOKEN"]
    ]
    assert sent["get_pair"]["secrets"] == [["headers", "Authorization", "Basic ", "SCAFFOLD_PAIR"]]
    assert sent["get_key"]["secrets"] == [["query", "k", "", "SCAFFOLD_KEY"]]
    assert sent["get_login"]["secrets"][0][2:] == ["Bearer ", "SCAFFOLD_LOGIN"]
    assert "secrets" not in sent["get_open"]
    assert "secret: set SCAFFOLD_KEY (the key or token) before a run" in said
    error = look_at([str(made)], os.environ).error
    assert "SCAFFOLD_TOKEN" in str(error)


def test_cycles_end_and_remote_references_are_named_not_fetched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schemas = {
        "Node": {
            "type": "object",
            "required": ["next"],
            "properties": {"next": {"$ref": "#/components/schemas/Node"}},
        },
        "Loop": {"$ref": "#/components/schemas/Loop"},
        "All": {"allOf": [{"$ref": "#/components/schemas/All"}]},
        "Bad": {"type": "no such type", "pattern": "("},
    }
    kinds = {**{name: f"#/components/schemas/{name}" for name in schemas}, "Lost": "#/nowhere"}
    kinds |= {"Far": "http://127.0.0.1:9/far.json#/x", "File": "other.yaml#/X"}
    paths = {}
    for name, reference in kinds.items():
        holder = {"content": {"application/json": {"schema": {"$ref": reference}}}}
        answer = {"200": {"description": "x", **holder}}
        paths[f"/{name}"] = {"post": {"requestBody": holder, "responses": answer}}
    source = described(tmp_path / "a.json", paths, components={"schemas": schemas})
    made = tmp_path / "api.py"
    assert scaffold(source, "-o", made) == 0
    said = capsys.readouterr().out
    for reference in ("http://127.0.0.1:9/far.json#/x", "other.yaml#/X", "#/nowhere"):
        words = "can't be resolved, so what it refers to is neither sent nor checked"
        assert f"this reference {words}: {reference}" in said
    answers = Answers.read(made.with_suffix(".json"))
    for name in kinds:
        wrong = answers.fault(f"post_{name.lower()}", 200, '{"next": {"next": 5}}')
        assert (wrong is None) == (name != "Node"), wrong


def test_answers_are_checked_by_status_and_schema(tmp_path: Path) -> None:
    made = tmp_path / "api.py"
    assert scaffold(HERE / "dspace.yaml", "-o", made) == 0
    answers = Answers.read(made.with_suffix(".json"))
    community = {"uuid": "1", "name": None, "type": "community"}
    listed = [community]
    right = {"_embedded": {"communities": listed}, "page": {"totalElements": 1}}
    name = "get_list_communities"
    assert answers.fault(name, 200, json.dumps(right)) is None
    assert answers.fault(name, 404, "{}") == "status 404 instead of 200"
    assert answers.fault(name, 200, "<html>") == "a body that is not JSON"
    listed.append({**community, "type": "item"})
    assert answers.fault(name, 200, json.dumps(right)) == (
        "the body._embedded.communities[].type breaks the schema's enum ['community']"
    )


LAUGHS = "a: &a [x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not an OpenAPI description"),
        ("[1]", "is not an OpenAPI description"),
        ("openapi: [", "can't be read as YAML or JSON"),
        ('{"openapi": "3.1.0", ', "can't be read as YAML or JSON"),
        ("swagger: '2.0'\npaths: {}", "is a Swagger description"),
        (
            "info: {schema: 'https://schema.getpostman.com/json/collection/v2.1.0/collection.json'}",
            "is a Postman collection",
        ),
        ("openapi: 4.0.0\npaths: {/: {}}", "its field openapi is '4.0.0'"),
        ("info: {}\npaths: {/: {}}", "its field openapi is missing"),
        ("openapi: 3.0.0", "describes no paths"),
        ("openapi: 3.0.0\npaths: {/a: {description: x}}", "describes no operation"),
        (
            "openapi: 3.0.0\npaths: !!python/object/apply:os.getcwd []",
            "can't be read as YAML or JSON",
        ),
        (LAUGHS + "openapi: 3.0.0\npaths: {/: {x: *j}}", "aliases expand to more than"),
        ("a: &a [*a]\nopenapi: 3.0.0", "is nested deeper than"),
        ("[" * 5000, "can't be read as YAML or JSON"),
        (None, "No such file"),
    ],
)
def test_what_is_no_description_is_refused_in_a_sentence(
    text: str | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "a.yaml"
    if text is not None:
        source.write_text(text)
    assert scaffold(source, "-o", tmp_path / "made.py") == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "made.py").exists()


CODE = (
    '"""+PWNED+"""',
    "{PWNED}",
    "'+PWNED+'",
    "x\nPWNED",
    "{{PWNED}}",
    "\\",
    "\u2028PWNED",
    "PWNED()",
)


@pytest.mark.parametrize("code", CODE)
def test_nothing_of_a_description_becomes_code(code: str, tmp_path: Path) -> None:
    operation = {
        "operationId": code,
        "summary": code,
        "tags": [code],
        "parameters": [{"name": code, "in": "query", "example": code}],
        "requestBody": {"content": {code: {"example": code}}},
        "responses": ANSWER,
        "security": [{code: []}],
    }
    source = described(tmp_path / "a.json", {f"/{code}": {"post": operation}})
    document = json.loads(source.read_text())
    document |= {"info": {"title": code}, "servers": [{"url": f"https://x.example/{code}"}]}
    source.write_text(yaml.safe_dump(document))
    made = tmp_path / "made.py"
    assert scaffold(source, "-o", made) == 0
    names = {one.id for one in ast.walk(ast.parse(made.read_text())) if isinstance(one, ast.Name)}
    assert "PWNED" not in names
    spec = importlib.util.spec_from_file_location("made_by_test", made)
    assert spec


def _post(schema: object) -> dict[str, Any]:
    content = {"application/json": {"schema": schema}}
    return {"post": {"requestBody": {"content": content}, "responses": ANSWER}}


@pytest.mark.parametrize(
    ("schema", "sent"),
    [
        (
            {
                "allOf": [
                    {"allOf": [{"type": "object", "properties": {"a": {"type": "string"}}}]},
                    {"type": "object", "properties": {"b": {"type": "integer"}}},
                ]
            },
            {"a": "example", "b": 1},
        ),
        ({"type": "integer", "minimum": 7, "multipleOf": 5}, 10),
        (
            {
                "type": "object",
                "properties": {"id": {"type": "integer"}},
                "oneOf": [{"$ref": "#/components/schemas/Cat"}],
                "discriminator": {
                    "propertyName": "kind",
                    "mapping": {"cat": "#/components/schemas/Cat"},
                },
            },
            {"id": 1, "kind": "cat"},
        ),
    ],
    ids=["allOf within allOf", "multipleOf", "one of several kinds"],
)
def test_what_is_sent_fits_the_schema(schema: object, sent: object, tmp_path: Path) -> None:
    cat = {"type": "object", "properties": {"kind": {"type": "string"}}}
    components = {"schemas": {"Cat": cat}}
    path = described(tmp_path / "api.json", {"/a": _post(schema)}, components=components)
    assert scaffold(path, "--output", tmp_path / "made.py") == 0
    assert examples(tmp_path / "made.py")["post_a"]["json"] == sent


def test_parameters_are_sent_in_their_style_and_own_servers_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = {"type": "array", "minItems": 2, "items": {"type": "integer"}}
    map_ = {"type": "object", "properties": {"x": {"type": "string"}}}
    parameters = [
        {"name": "f", "in": "query", "required": True, "style": "deepObject", "schema": map_},
        {"name": "g", "in": "query", "required": True, "schema": map_},
        {"name": "ids", "in": "query", "required": True, "explode": False, "schema": numbers},
        {"name": "many", "in": "query", "required": True, "schema": numbers},
        {"name": "tags", "in": "path", "required": True, "schema": numbers},
    ]
    operation = {"parameters": parameters, "responses": ANSWER, "servers": [{"url": "/other"}]}
    path = described(tmp_path / "api.json", {"/a/{tags}": {"get": operation}})
    assert scaffold(path, "--output", tmp_path / "made.py") == 0
    assert examples(tmp_path / "made.py")["get_a_tags"] == {
        "query": {"f[x]": "example", "x": "example", "ids": "1,1", "many": [1, 1]},
        "path": {"tags": "1,1"},
    }
    assert (
        "check these operations, whose own server is not used: /a/{tags}" in capsys.readouterr().out
    )
