"""Grouping of request paths."""

import pytest

from loadgen.shared.request_names import group_path


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "/"),
        ("/items/7", "/items/{id}"),
        ("/items/7/edit?x=1", "/items/{id}/edit"),
        ("/core/items/5f1c9a52-7a0e-4c5e-9f0b-0a1b2c3d4e5f/bundles", "/core/items/{uuid}/bundles"),
        ("/static/d41d8cd98f00b204e9800998ecf8427e/x", "/static/{hash}/x"),
        ("/v2/list1", "/v2/list1"),
        ("/pages/1/2", "/pages/{id}/{id}"),
    ],
)
def test_group_path_leaves_out_what_changes(path: str, name: str) -> None:
    assert group_path(path) == name
