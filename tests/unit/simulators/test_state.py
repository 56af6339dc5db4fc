"""The state pages, over HTTP."""

from collections.abc import Iterator

import pytest
import requests
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from loadgen.simulators.state import Counted, TargetState
from tests.servers import serving


async def _item(request: Request) -> Response:
    return PlainTextResponse("item", 404 if request.path_params["item"] == 9 else 200)


@pytest.fixture
def url() -> Iterator[str]:
    app = Starlette(routes=[Route("/items/{item:int}", _item)])
    with serving(Counted(app, TargetState("shop", 42, lambda: {"items": 3}))) as base:
        yield base


def test_state_counts_requests_by_method_and_grouped_name(url: str) -> None:
    for item in (1, 2, 9):
        requests.get(f"{url}/items/{item}?page=1", timeout=10)
    state = requests.get(f"{url}/_state.json", timeout=10).json()
    assert (state["simulator"], state["seed"], state["details"]) == ("shop", 42, {"items": 3})
    assert (state["received"], state["answered"], state["in_flight"]) == (3, 3, 0)
    assert state["requests"] == [
        {
            "method": "GET",
            "name": "/items/{id}",
            "received": 3,
            "answered": 3,
            "statuses": {"200": 2, "404": 1},
        }
    ]


def test_state_page_is_readable_and_reset_starts_again(url: str) -> None:
    requests.get(f"{url}/items/1", timeout=10)
    assert "<td>/items/{id}<td>1<td>1<td>200: 1" in requests.get(f"{url}/_state", timeout=10).text
    assert requests.post(f"{url}/_state/reset", timeout=10).status_code == 204
    assert requests.get(f"{url}/_state.json", timeout=10).json()["requests"] == []


def test_state_pages_refuse_other_methods_without_counting_them(url: str) -> None:
    assert requests.get(f"{url}/_state/reset", timeout=10).status_code == 404
    assert requests.get(f"{url}/_state.json", timeout=10).json()["received"] == 0
