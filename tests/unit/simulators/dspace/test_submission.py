"""Contract: from a draft to an archived item, and its later edits."""

from typing import Any

import pytest

from tests.unit.simulators.dspace.visitor import Visitor

PAGE = "/sections/traditionalpageone"
CONTENT = b"%PDF-1.4 an upload"


def _add(name: str, value: str) -> dict[str, object]:
    return {"op": "add", "path": f"{PAGE}/{name}", "value": [{"value": value}]}


def _draft(member: Visitor, collection: str = "") -> dict[str, Any]:
    known = member.get("/core/collections").json()["_embedded"]["collections"]
    owner = collection or known[0]["uuid"]
    response = member.send("POST", f"/submission/workspaceitems?owningCollection={owner}")
    assert response.status_code == 201
    made: dict[str, Any] = response.json()
    return made


def _upload(member: Visitor, draft: dict[str, Any]) -> Any:
    return member.send(
        "POST",
        f"/submission/workspaceitems/{draft['id']}",
        files={"file": ("thesis.pdf", CONTENT, "application/pdf")},
    )


def _fill(member: Visitor, draft: dict[str, Any], leave_out: str = "") -> None:
    here = f"/submission/workspaceitems/{draft['id']}"
    if leave_out != "file":
        assert _upload(member, draft).status_code == 201
    values = {"dc.title": "A thesis", "dc.date.issued": "2026", "dc.type": "Thesis"}
    operations = [_add(name, value) for name, value in values.items() if name != leave_out]
    assert member.patch(here, *operations).status_code == 200
    if leave_out != "licence":
        granted = {"op": "add", "path": "/sections/license/granted", "value": True}
        assert member.patch(here, granted).json()["sections"]["license"]["granted"] is True


def _deposit(member: Visitor, draft: dict[str, Any]) -> Any:
    reference = f"{member.api}/submission/workspaceitems/{draft['id']}"
    headers = {"Content-Type": "text/uri-list"}
    return member.send("POST", "/workflow/workflowitems", data=reference, headers=headers)


def test_draft_needs_a_login_and_has_an_integer_id(visitor: Visitor, member: Visitor) -> None:
    visitor.get("/security/csrf")
    assert visitor.send("POST", "/submission/workspaceitems").status_code == 401
    draft = _draft(member)
    assert isinstance(draft["id"], int)
    assert draft["type"] == "workspaceitem"


def test_draft_belongs_to_its_submitter(visitor: Visitor, member: Visitor) -> None:
    here = f"/submission/workspaceitems/{_draft(member)['id']}"
    assert visitor.get(here).status_code == 401
    visitor.login("user0009@example.org")
    assert visitor.get(here).status_code == 403


def test_upload_is_listed_in_the_upload_section_and_stored(member: Visitor) -> None:
    response = _upload(member, _draft(member))
    file = response.json()["sections"]["upload"]["files"][0]
    assert response.status_code == 201
    assert file["sizeBytes"] == len(CONTENT)
    assert member.get(file["url"]).content == CONTENT


def test_upload_without_the_field_file_is_400(member: Visitor) -> None:
    draft = _draft(member)
    here = f"/submission/workspaceitems/{draft['id']}"
    assert member.send("POST", here, files={"other": ("a", b"b")}).status_code == 400


def test_complete_draft_is_archived_at_once_with_an_empty_answer(member: Visitor) -> None:
    draft = _draft(member)
    _fill(member, draft)
    response = _deposit(member, draft)
    item = member.get(f"/core/items/{draft['_embedded']['item']['uuid']}").json()
    assert (response.status_code, response.content) == (201, b"")
    assert (item["inArchive"], item["name"]) == (True, "A thesis")
    assert member.get(f"/submission/workspaceitems/{draft['id']}").status_code == 404


def test_archived_item_is_found_by_search(visitor: Visitor, member: Visitor) -> None:
    draft = _draft(member)
    _fill(member, draft)
    item = draft["_embedded"]["item"]["uuid"]
    path = f"/submission/workspaceitems/{draft['id']}"
    member.patch(path, _add("dc.title", "Unmistakable"))
    _deposit(member, draft)
    found = visitor.get("/discover/search/objects?query=unmistakable").json()
    objects = found["_embedded"]["searchResult"]["_embedded"]["objects"]
    assert [one["_embedded"]["indexableObject"]["uuid"] for one in objects] == [item]


def test_deposit_to_a_collection_with_workflow_waits(member: Visitor) -> None:
    draft = _draft(member, member.state()["details"]["collection_with_workflow"])
    _fill(member, draft)
    response = _deposit(member, draft)
    assert (response.status_code, response.json()["type"]) == (201, "workflowitem")
    item = member.get(f"/core/items/{draft['_embedded']['item']['uuid']}").json()
    assert item["inArchive"] is False


@pytest.mark.parametrize("missing", ["dc.title", "dc.date.issued", "dc.type", "file", "licence"])
def test_deposit_with_something_missing_is_422(member: Visitor, missing: str) -> None:
    draft = _draft(member)
    _fill(member, draft, leave_out=missing)
    assert _deposit(member, draft).status_code == 422
    assert member.get(f"/submission/workspaceitems/{draft['id']}").json()["errors"]


def test_deposit_of_another_url_is_422(member: Visitor) -> None:
    headers = {"Content-Type": "text/uri-list"}
    response = member.send("POST", "/workflow/workflowitems", data="/nothing", headers=headers)
    assert response.status_code == 422


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        (_add("dc.colour", "red"), 422),
        ({"op": "add", "path": "/sections/nowhere/x", "value": 1}, 422),
        ({"op": "paint", "path": f"{PAGE}/dc.title"}, 400),
        ({"op": "replace", "path": f"{PAGE}/dc.publisher/0", "value": {"value": "x"}}, 422),
    ],
)
def test_patch_of_a_draft_refuses(member: Visitor, operation: object, status: int) -> None:
    draft = _draft(member)
    here = f"/submission/workspaceitems/{draft['id']}"
    assert member.patch(here, operation).status_code == status


def test_deleted_draft_is_gone_with_its_file(member: Visitor) -> None:
    draft = _draft(member)
    file = _upload(member, draft).json()["sections"]["upload"]["files"][0]
    here = f"/submission/workspaceitems/{draft['id']}"
    assert member.send("DELETE", here).status_code == 204
    assert member.get(here).status_code == 404
    assert member.get(file["url"]).status_code == 404


def test_archived_item_takes_add_replace_remove_and_move(member: Visitor) -> None:
    draft = _draft(member)
    _fill(member, draft)
    _deposit(member, draft)
    here = f"/core/items/{draft['_embedded']['item']['uuid']}"
    title = "/metadata/dc.title"
    steps: list[tuple[dict[str, object], list[str]]] = [
        ({"op": "replace", "path": f"{title}/0", "value": {"value": "One"}}, ["One"]),
        ({"op": "add", "path": f"{title}/-", "value": {"value": "Two"}}, ["One", "Two"]),
        ({"op": "move", "from": f"{title}/1", "path": f"{title}/0"}, ["Two", "One"]),
        ({"op": "remove", "path": f"{title}/1"}, ["Two"]),
    ]
    for operation, expected in steps:
        response = member.patch(here, operation)
        assert response.status_code == 200
        assert [value["value"] for value in response.json()["metadata"]["dc.title"]] == expected


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([{"op": "add", "path": "/metadata/dc.colour", "value": [{"value": "x"}]}], 422),
        ([{"op": "replace", "path": "/metadata/dc.title/7", "value": {"value": "x"}}], 422),
        ([{"op": "replace", "path": "/metadata/dc.title/0", "value": 7}], 400),
        ({"op": "add"}, 400),
        (["add"], 400),
    ],
)
def test_patch_of_an_item_refuses_and_changes_nothing(
    administrator: Visitor, body: object, status: int
) -> None:
    here = f"/core/items/{administrator.an_item()['uuid']}"
    before = administrator.get(here).json()["metadata"]
    assert administrator.send("PATCH", here, json=body).status_code == status
    assert administrator.get(here).json()["metadata"] == before


def test_patch_of_an_item_needs_the_right(visitor: Visitor, member: Visitor) -> None:
    here = f"/core/items/{visitor.an_item()['uuid']}"
    edit = {"op": "replace", "path": "/metadata/dc.title/0", "value": {"value": "x"}}
    visitor.get("/security/csrf")
    assert visitor.patch(here, edit).status_code == 401
    assert member.patch(here, edit).status_code == 403
