"""Reading: the API's root, communities, collections, items, bundles, search and facets."""

from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from loadgen.simulators.dspace import hal
from loadgen.simulators.dspace.model import Bundle, Item
from loadgen.simulators.dspace.repository import Repository
from loadgen.simulators.dspace.search import FILTERS, Filter, FilterError, facet
from loadgen.simulators.dspace.security import account_of, require_account

T = TypeVar("T")


class Reading:
    """The endpoints that change nothing."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository

    def routes(self) -> list[Route]:
        """Return the routes."""
        table = {
            "/core/items/{uuid}": self.item,
            "/core/items/{uuid}/bundles": self.bundles,
            "/core/items/{uuid}/owningCollection": self.owning_collection,
            "/core/bundles/{uuid}/bitstreams": self.bundle_bitstreams,
            "/discover/search/objects": self.search,
            "/discover/facets/{name}": self.facet,
            "": self.root,
            "/core/communities/search/top": self.top_communities,
            "/core/communities": self.communities,
            "/core/communities/{uuid}": self.community,
            "/core/communities/{uuid}/subcommunities": self.subcommunities,
            "/core/communities/{uuid}/collections": self.collections_of,
            "/core/collections": self.collections,
            "/core/collections/search/findSubmitAuthorized": self.submit_authorized,
            "/core/collections/{uuid}": self.collection,
            "/core/items": self.items,
        }
        return [
            Route(hal.API + path, endpoint, methods=["GET"]) for path, endpoint in table.items()
        ]

    async def root(self, request: Request) -> Response:
        """Describe the API."""
        api = hal.base(request)
        names = ("communities", "collections", "items", "bitstreams")
        links = {name: {"href": f"{api}/core/{name}"} for name in names}
        links["discover"] = {"href": f"{api}/discover"}
        links["self"] = {"href": api}
        return hal.answer(
            {
                "dspaceUI": api.removesuffix("/server/api"),
                "dspaceName": "DSpace simulator",
                "dspaceServer": api.removesuffix("/api"),
                "dspaceVersion": "DSpace 8.0",
                "type": "root",
                "_links": links,
            }
        )

    async def communities(self, request: Request) -> Response:
        """List every community."""
        return self._communities(request, list(self.repository.communities))

    async def top_communities(self, request: Request) -> Response:
        """List the communities without a parent."""
        found = [c.uuid for c in self.repository.communities.values() if c.parent is None]
        return self._communities(request, found)

    async def subcommunities(self, request: Request) -> Response:
        """List the communities below one."""
        return self._communities(
            request, _known(self.repository.communities, request).subcommunities
        )

    def _communities(self, request: Request, found: list[str]) -> Response:
        api = hal.base(request)
        known = self.repository.communities
        return hal.answer(
            hal.page(request, found, "communities", lambda one: hal.community(api, known[one]))
        )

    async def community(self, request: Request) -> Response:
        """Describe a community."""
        return hal.answer(
            hal.community(hal.base(request), _known(self.repository.communities, request))
        )

    async def collections(self, request: Request) -> Response:
        """List every collection."""
        return self._collections(request, list(self.repository.collections))

    async def collections_of(self, request: Request) -> Response:
        """List a community's collections."""
        return self._collections(request, _known(self.repository.communities, request).collections)

    async def submit_authorized(self, request: Request) -> Response:
        """List the collections that the visitor may submit to: every one, once logged in."""
        require_account(request)
        return self._collections(request, list(self.repository.collections))

    def _collections(self, request: Request, found: list[str]) -> Response:
        api = hal.base(request)
        known = self.repository.collections
        return hal.answer(
            hal.page(request, found, "collections", lambda one: hal.collection(api, known[one]))
        )

    async def collection(self, request: Request) -> Response:
        """Describe a collection."""
        return hal.answer(
            hal.collection(hal.base(request), _known(self.repository.collections, request))
        )

    async def items(self, request: Request) -> Response:
        """List every item, to administrators."""
        if not require_account(request).administrator:
            raise hal.ApiError(403, "Access is denied")
        return self._items(request, list(self.repository.items.values()))

    def _items(self, request: Request, found: list[Item]) -> Response:
        api = hal.base(request)
        return hal.answer(hal.page(request, found, "items", lambda one: hal.item(api, one)))

    async def item(self, request: Request) -> Response:
        """Describe an item."""
        return hal.answer(hal.item(hal.base(request), readable_item(self.repository, request)))

    async def bundles(self, request: Request) -> Response:
        """List an item's bundles."""
        api = hal.base(request)
        found = readable_item(self.repository, request).bundles
        return hal.answer(hal.page(request, found, "bundles", lambda one: hal.bundle(api, one)))

    async def owning_collection(self, request: Request) -> Response:
        """Describe the collection that holds an item."""
        item = readable_item(self.repository, request)
        return hal.answer(
            hal.collection(hal.base(request), self.repository.collections[item.collection])
        )

    async def bundle_bitstreams(self, request: Request) -> Response:
        """List a bundle's bitstreams."""
        api = hal.base(request)
        bundle: Bundle = _known(self.repository.bundles, request)
        readable_item(self.repository, request, self.repository.owners[bundle.uuid])
        found = bundle.bitstreams
        return hal.answer(
            hal.page(request, found, "bitstreams", lambda one: hal.bitstream(api, one, bundle.name))
        )

    async def search(self, request: Request) -> Response:
        """Search items; communities and collections by name when `dsoType` says so."""
        api = hal.base(request)
        query = request.query_params
        filters = _filters(request)
        rows: list[hal.Json]
        if query.get("dsoType", "item").lower() in {"community", "collection"}:
            rows = self._containers(api, query["dsoType"].lower(), query.get("query", ""))
            found = hal.page(request, rows, "objects", _result)
        else:
            items = self._find(request, filters)
            found = hal.page(request, items, "objects", lambda one: _result(hal.item(api, one)))
        return hal.answer(
            {
                "query": query.get("query", ""),
                "scope": query.get("scope"),
                "appliedFilters": [
                    {"filter": one.name, "operator": one.operator, "value": one.value}
                    for one in filters
                ],
                "type": "discover",
                "_embedded": {"searchResult": found},
                "_links": {"self": {"href": str(request.url)}},
            }
        )

    async def facet(self, request: Request) -> Response:
        """List a facet's values among the items that a search finds."""
        name = request.path_params["name"]
        if name not in FILTERS:
            raise hal.ApiError(404, f"No facet {name}")
        counts = facet(self._find(request, _filters(request)), name)

        def value(one: tuple[str, int]) -> hal.Json:
            label, count = one
            search = {"href": _narrowed(request, name, label)}
            return {
                "label": label,
                "count": count,
                "type": "discover",
                "_links": {"search": search},
            }

        body = hal.page(request, counts, "values", value)
        return hal.answer(body | {"name": name, "facetType": "text"})

    def _find(self, request: Request, filters: list[Filter]) -> list[Item]:
        query = request.query_params
        try:
            return self.repository.index.find(
                query.get("query", ""), query.get("scope", ""), filters, query.get("sort", "")
            )
        except FilterError as fault:
            raise hal.ApiError(422, str(fault)) from fault

    def _containers(self, api: str, kind: str, query: str) -> list[hal.Json]:
        rows = (
            [hal.community(api, one) for one in self.repository.communities.values()]
            if kind == "community"
            else [hal.collection(api, one) for one in self.repository.collections.values()]
        )
        return [row for row in rows if query.lower() in str(row["name"]).lower()]


def _narrowed(request: Request, name: str, label: str) -> str:
    """Return the search that a facet's value leads to: this one, with the value as a filter."""
    paging = {"page", "size", "sort", "prefix"}
    kept = [(k, v) for k, v in request.query_params.multi_items() if k not in paging]
    query = urlencode([*kept, (f"f.{name}", f"{label},equals")])
    return f"{hal.base(request)}/discover/search/objects?{query}"


def readable_item(repository: Repository, request: Request, identifier: str = "") -> Item:
    """Return the item of the path; 404 when there is none, 401 or 403 when it is restricted."""
    item = repository.items.get(identifier or request.path_params["uuid"])
    if item is None:
        raise hal.ApiError(404, "The resource could not be found")
    if item.restricted or not item.in_archive:
        account = require_account(request)
        if not (account.administrator or account.uuid == item.submitter):
            raise hal.ApiError(403, "Access is denied")
    return item


def may_write(request: Request, item: Item) -> bool:
    """Tell whether the visitor may edit the item: its submitter and administrators may."""
    account = account_of(request)
    return account is not None and (account.administrator or account.uuid == item.submitter)


def _known(table: Mapping[str, T], request: Request) -> T:
    found = table.get(request.path_params["uuid"])
    if found is None:
        raise hal.ApiError(404, "The resource could not be found")
    return found


def _filters(request: Request) -> list[Filter]:
    try:
        return [
            Filter.parse(name.removeprefix("f."), text)
            for name, text in request.query_params.multi_items()
            if name.startswith("f.")
        ]
    except FilterError as fault:
        raise hal.ApiError(422, str(fault)) from fault


def _result(found: hal.Json) -> hal.Json:
    return {
        "hitHighlights": {},
        "type": "discover",
        "_embedded": {"indexableObject": found},
        "_links": {"indexableObject": found["_links"]},
    }
