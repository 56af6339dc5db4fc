"""Grouping of request paths."""

import random
import string

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


def test_drawn_identifiers_share_a_row_and_words_keep_their_own() -> None:
    draw = random.Random(7)
    signs = string.ascii_letters + string.digits
    paths = ["/track/" + "".join(draw.choices(signs, k=22)) for _ in range(1000)]
    assert [group_path(path) for path in paths].count("/track/{token}") >= 980
    for words in (
        "/api/getUserProfileV2Extended",
        "/OAuth2CallbackHandler20",
        "/iphone-15-pro-max-256gb-titanium",
        "/how-to-migrate-from-python-2-to-3",
        "/2026-11-26T10:00:00Z",
        "/wiki/%E4%BD%A0%E5%A5%BD%E4%BD%A0%E5%A5%BD",
        "/Donaudampfschifffahrtsgesellschaft",
        "/RFC2616-sec10.html",
    ):
        assert group_path(words) == words
