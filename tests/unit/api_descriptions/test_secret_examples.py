"""Examples of a description that are somebody's keys are not written into the locustfile."""

from pathlib import Path
from typing import Any

import pytest

from loadgen.scenario.api import ApiUser
from tests.unit.api_descriptions.test_scaffold import ANSWER, described, examples, scaffold

HEX = "3f9a0c1b2d4e5f60718293a4b5c6d7e8f9012345"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLW9m"
UUID = "4f2c1a90-1111-4562-b3fc-2c963f66afa6"


def _parameter(place: str, name: str, value: str) -> dict[str, Any]:
    return {
        "in": place, "name": name, "required": True, "example": value,
        "schema": {"type": "string", "example": value},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "place", "name", "value", "secret"),
    [
        ("/reset/{key}/confirm", "path", "key", HEX, ("path", "key")),
        ("/invite/{code}", "path", "code", JWT, ("path", "code")),
        ("/verify/{id}", "path", "id", UUID, ("path", "id")),
        ("/file", "query", "sig", HEX, ("query", "sig")),
        ("/file", "query", "anything", JWT, ("query", "anything")),
        ("/file", "header", "X-Api-Key", HEX, ("headers", "X-Api-Key")),
        ("/file", "cookie", "session_id", HEX, ("cookies", "session_id")),
    ],
)
def test_a_key_as_an_example_comes_from_the_environment(
    path: str,
    place: str,
    name: str,
    value: str,
    secret: tuple[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    operation = {"parameters": [_parameter(place, name, value)], "responses": ANSWER}
    made = tmp_path / "api.py"
    source = described(tmp_path / "a.json", {path: {"get": operation}})
    assert scaffold(source, "--output", made) == 0
    said = capsys.readouterr().out
    assert value not in made.read_text() + made.with_suffix(".json").read_text() + said
    (sent,) = examples(made).values()
    variable = f"SCAFFOLD_{name.upper().replace('-', '_')}"
    assert [tuple(one) for one in sent["secrets"]] == [(*secret, "", variable)]
    assert f"set {variable}" in said


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("/items/{id}", "id", UUID),
        ("/commits/{sha}", "sha", HEX),
        ("/orders/{n}/confirm", "n", "7"),
    ],
)
def test_an_identifier_stays(path: str, name: str, value: str, tmp_path: Path) -> None:
    operation = {"parameters": [_parameter("path", name, value)], "responses": ANSWER}
    made = tmp_path / "api.py"
    assert scaffold(described(tmp_path / "a.json", {path: {"get": operation}}), "-o", made) == 0
    (sent,) = examples(made).values()
    assert sent == {"path": {name: value}}


def test_a_key_in_a_body_is_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = {"content": {"application/json": {"example": {"a": [{"key": JWT}], "n": 1}}}}
    operation = {"requestBody": body, "responses": ANSWER}
    made = tmp_path / "api.py"
    source = described(tmp_path / "a.json", {"/a": {"post": operation}})
    assert scaffold(source, "--output", made) == 0
    (sent,) = examples(made).values()
    assert sent["json"] == {"a": [{"key": "example"}], "n": 1}
    assert "POST /a: the example of its body has a key or token" in capsys.readouterr().out


def test_a_secret_of_a_path_is_sent_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCAFFOLD_KEY", "a/b")
    asked = []

    class Sent(Exception):  # noqa: N818 - it ends the call
        pass

    class Client:
        def request(self, method: str, path: str, **_: object) -> None:
            asked.append((method, path))
            raise Sent

    user = ApiUser.__new__(ApiUser)
    user.client = Client()  # type: ignore[assignment]
    user.examples = {"x": {"secrets": [["path", "key", "", "SCAFFOLD_KEY"]]}}
    with pytest.raises(Sent):
        user.call("GET", "/reset/{key}/confirm", "x")
    assert asked == [("GET", "/reset/a%2Fb/confirm")]
