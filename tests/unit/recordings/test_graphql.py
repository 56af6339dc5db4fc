"""GraphQL's requests share one path, and each operation has its own row."""

import json
from pathlib import Path

import pytest

from loadgen.recordings.graphql import operations
from tests.unit.recordings.hars import JSON, entry, made, sends

CART = {"operationName": "GetCart", "query": "query GetCart { cart { id } }", "variables": {}}
ADD = {"query": "# one more\n mutation AddItem($id: ID!) { add(id: $id) { id } }"}


@pytest.mark.parametrize(
    ("body", "query", "names"),
    [
        (json.dumps(CART), "", ["GetCart"]),
        (json.dumps(ADD), "", ["AddItem"]),
        (json.dumps([CART, ADD, CART]), "", ["GetCart", "AddItem"]),
        (json.dumps({"query": "{ shop { name } }"}), "", []),
        (
            json.dumps({"operationName": "Known", "extensions": {"persistedQuery": {}}}),
            "",
            ["Known"],
        ),
        (None, "operationName=Seen&query=query+Seen+%7B+a+%7D", ["Seen"]),
        (json.dumps({"query": "red shoes"}), "", []),
        (json.dumps({"query": "{", "operationName": "no name"}), "", []),
        (json.dumps({"query": 5, "operationName": ["x"]}), "", []),
        ("[1, null]", "", []),
        ("{broken", "", []),
        ("[" * 100_000, "", []),
        (b"\xff", "q=1", []),
    ],
)
def test_the_operations_of_a_request_are_named(
    body: str | bytes | None, query: str, names: list[str]
) -> None:
    assert operations(body, query) == names


def test_each_operation_of_a_recording_has_its_own_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [
        entry(number, "POST", "/graphql", body=json.dumps(one), headers=JSON)
        for number, one in enumerate((CART, ADD), 1)
    ]
    source, _ = made(tmp_path, capsys, entries)
    assert [one["name"] for one in sends(source)] == ["/graphql GetCart", "/graphql AddItem"]
