"""Contract: communities, items, search, facets, paging, view events."""

import pytest
import requests

from loadgen.simulators.dspace import build
from tests.servers import serving
from tests.unit.simulators.dspace.visitor import Visitor

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def test_communities_lead_to_subcommunities_and_collections(visitor: Visitor) -> None:
    tops = visitor.get("/core/communities/search/top").json()["_embedded"]["communities"]
    here = f"/core/communities/{tops[0]['uuid']}"
    below = visitor.get(f"{here}/subcommunities").json()
    collections = visitor.get(f"{here}/collections").json()
    assert visitor.get(here).json()["type"] == "community"
    assert below["_embedded"]["communities"][0]["name"].startswith("Institute")
    assert collections["_embedded"]["collections"][0]["type"] == "collection"
    assert visitor.get(f"/core/communities/{UNKNOWN}").status_code == 404


def test_paging_defaults_to_twenty_and_counts_from_zero(visitor: Visitor) -> None:
    found = visitor.get("/discover/search/objects").json()["_embedded"]["searchResult"]
    total = found["page"]["totalElements"]
    assert found["page"] == {
        "size": 20,
        "totalElements": total,
        "totalPages": -(-total // 20),
        "number": 0,
    }
    assert len(found["_embedded"]["objects"]) == 20
    assert {"self", "first", "next", "last"} == set(found["_links"])
    second = visitor.get(found["_links"]["next"]["href"]).json()
    assert second["_embedded"]["searchResult"]["page"]["number"] == 1


@pytest.mark.parametrize(
    "query", ["page=-1", "size=0", "size=-5", "page=x", "size=", "page=99999999999", "page=1.5"]
)
def test_a_page_that_makes_no_sense_counts_as_not_given(visitor: Visitor, query: str) -> None:
    answer = visitor.get(f"/core/communities?{query}")
    assert answer.status_code == 200
    assert (answer.json()["page"]["number"], answer.json()["page"]["size"]) == (0, 20)


def test_item_is_200_401_403_or_404(
    visitor: Visitor, member: Visitor, administrator: Visitor
) -> None:
    public, hidden = visitor.an_item()["uuid"], visitor.state()["details"]["restricted_item"]
    assert visitor.get(f"/core/items/{public}").json()["type"] == "item"
    assert visitor.get(f"/core/items/{UNKNOWN}").status_code == 404
    assert visitor.get(f"/core/items/{hidden}").status_code == 401
    assert member.get(f"/core/items/{hidden}").status_code == 403
    assert administrator.get(f"/core/items/{hidden}").status_code == 200


def test_list_of_items_is_for_administrators(
    visitor: Visitor, member: Visitor, administrator: Visitor
) -> None:
    assert visitor.get("/core/items").status_code == 401
    assert member.get("/core/items").status_code == 403
    assert administrator.get("/core/items?size=5").json()["page"]["size"] == 5


def test_search_finds_items_that_hold_every_word(visitor: Visitor) -> None:
    found = visitor.get("/discover/search/objects?query=glacier&dsoType=item&size=5").json()
    objects = found["_embedded"]["searchResult"]["_embedded"]["objects"]
    assert objects
    for one in objects:
        assert "glacier" in str(one["_embedded"]["indexableObject"]["metadata"]).lower()
    nothing = visitor.get("/discover/search/objects?query=glacier+xyzzy").json()
    assert nothing["_embedded"]["searchResult"]["page"]["totalElements"] == 0


def test_search_filters_and_scope_narrow_the_result(visitor: Visitor) -> None:
    def total(query: str) -> int:
        found = visitor.get(f"/discover/search/objects?{query}").json()
        return int(found["_embedded"]["searchResult"]["page"]["totalElements"])

    collection = visitor.get("/core/collections").json()["_embedded"]["collections"][0]["uuid"]
    everything = total("")
    books, others = total("f.itemtype=Book,equals"), total("f.itemtype=Book,notequals")
    assert 0 < books < everything
    assert books + others == everything
    assert 0 < total(f"scope={collection}") < everything
    assert total("f.title=study,contains") + total("f.title=study,notcontains") == everything


@pytest.mark.parametrize(
    "query", ["f.title=x,resembles", "f.colour=x,equals", "f.title=x", "sort=dc.colour,asc"]
)
def test_search_refuses_unknown_filters_and_sorts_with_422(visitor: Visitor, query: str) -> None:
    assert visitor.get(f"/discover/search/objects?{query}").status_code == 422


def test_search_sorts(visitor: Visitor) -> None:
    found = visitor.get("/discover/search/objects?sort=dc.title,asc&size=50").json()
    objects = found["_embedded"]["searchResult"]["_embedded"]["objects"]
    names = [one["_embedded"]["indexableObject"]["name"] for one in objects]
    assert names == sorted(names)


def test_facet_counts_values_most_frequent_first(visitor: Visitor) -> None:
    facet = visitor.get("/discover/facets/subject?size=3").json()
    counts = [value["count"] for value in facet["_embedded"]["values"]]
    assert (facet["name"], counts) == ("subject", sorted(counts, reverse=True))
    assert visitor.get("/discover/facets/colour").status_code == 404


def test_view_event_is_201_and_counted(visitor: Visitor) -> None:
    visitor.get("/security/csrf")
    before = visitor.state()["details"]["views"]
    event = {"targetId": visitor.an_item()["uuid"], "targetType": "item"}
    assert visitor.send("POST", "/statistics/viewevents", json=event).status_code == 201
    assert visitor.send("POST", "/statistics/viewevents", json={}).status_code == 400
    assert visitor.state()["details"]["views"] == before + 1


@pytest.mark.parametrize("path", ["/", "/search?query=ocean", "/login", "/assets/app.js"])
def test_pages_answer(visitor: Visitor, path: str) -> None:
    assert visitor.get(visitor.url + path).status_code == 200


def test_two_repositories_of_one_seed_are_equal() -> None:
    def front_page(seed: int) -> str:
        with serving(build(seed)) as url:
            found = requests.get(f"{url}/server/api/discover/search/objects", timeout=20).json()
        objects = found["_embedded"]["searchResult"]["_embedded"]["objects"]
        return str([one["_embedded"]["indexableObject"]["uuid"] for one in objects])

    assert front_page(7) == front_page(7) != front_page(8)


def test_a_facets_value_leads_to_the_search_that_it_counts(visitor: Visitor) -> None:
    body = visitor.get("/discover/facets/subject?dsoType=item&size=2&page=0").json()
    for value in body["_embedded"]["values"]:
        path = value["_links"]["search"]["href"].partition("/server/api")[2]
        found = visitor.get(path).json()["_embedded"]["searchResult"]
        assert value["type"] == "discover"
        assert found["page"]["totalElements"] == value["count"] > 0
