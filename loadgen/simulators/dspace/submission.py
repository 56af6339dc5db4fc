"""From a draft to an archived item: workspace items, uploads, licence, deposit, later edits."""

import hashlib
import json
from dataclasses import dataclass, field

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from loadgen.simulators.dspace import hal, metadata
from loadgen.simulators.dspace.model import Bitstream, Item
from loadgen.simulators.dspace.reading import may_write
from loadgen.simulators.dspace.repository import Repository, now
from loadgen.simulators.dspace.security import require_account

PAGES = ("traditionalpageone", "traditionalpagetwo")
REQUIRED = ("dc.title", "dc.date.issued", "dc.type")
SECOND_PAGE = ("dc.subject", "dc.description.abstract", "dc.description.sponsorship")
CHUNK_BYTES = 256 * 1024


@dataclass
class WorkspaceItem:
    """A draft; `licence` is the time of its acceptance, empty before."""

    number: int
    item: Item
    licence: str = ""


@dataclass
class Submission:
    """Drafts and deposits. Numbers start at 1."""

    repository: Repository
    drafts: dict[int, WorkspaceItem] = field(default_factory=dict)
    waiting: dict[int, WorkspaceItem] = field(default_factory=dict)
    deposited: int = 0
    uploaded_bytes: int = 0
    _last_number: int = 0

    def routes(self) -> list[Route]:
        """Return the routes."""
        drafts = hal.API + "/submission/workspaceitems"
        return [
            Route(drafts, self.create, methods=["POST"]),
            Route(drafts + "/{number:int}", self.show, methods=["GET"]),
            Route(drafts + "/{number:int}", self.upload, methods=["POST"]),
            Route(drafts + "/{number:int}", self.patch, methods=["PATCH"]),
            Route(drafts + "/{number:int}", self.delete, methods=["DELETE"]),
            Route(drafts + "/{number:int}/item", self.item, methods=["GET"]),
            Route(hal.API + "/workflow/workflowitems", self.deposit, methods=["POST"]),
            Route(
                hal.API + "/workflow/workflowitems/{number:int}",
                self.workflow_item,
                methods=["GET"],
            ),
            Route(hal.API + "/core/items/{uuid}", self.patch_item, methods=["PATCH"]),
        ]

    async def create(self, request: Request) -> Response:
        """Start a submission to `owningCollection`, or to the first collection."""
        account = require_account(request)
        first = next(iter(self.repository.collections))
        collection = request.query_params.get("owningCollection", first)
        if collection not in self.repository.collections:
            raise hal.ApiError(422, f"There is no collection {collection}")
        item = Item(
            uuid=self.repository.new_uuid(),
            handle=None,
            collection=collection,
            metadata={},
            bundles=[],
            last_modified=now(),
            submitter=account.uuid,
            in_archive=False,
        )
        self.repository.items[item.uuid] = item
        self._last_number += 1
        draft = self.drafts[self._last_number] = WorkspaceItem(self._last_number, item)
        return hal.answer(self._draft(request, draft), 201)

    async def show(self, request: Request) -> Response:
        """Describe a draft."""
        return hal.answer(self._draft(request, self._own(request)))

    async def item(self, request: Request) -> Response:
        """Describe a draft's item."""
        return hal.answer(hal.item(hal.base(request), self._own(request).item))

    async def upload(self, request: Request) -> Response:
        """Store the multipart field `file`."""
        draft = self._own(request)
        async with request.form() as form:
            sent = form.get("file")
            if not isinstance(sent, UploadFile):
                raise hal.ApiError(400, "Required part 'file' is not present.")
            bitstream = await self._store(sent)
        self.repository.add_bitstream(draft.item, "ORIGINAL", bitstream)
        self.uploaded_bytes += bitstream.size
        return hal.answer(self._draft(request, draft), 201)

    async def _store(self, sent: UploadFile) -> Bitstream:
        identifier, path = self.repository.new_file()
        digest = hashlib.md5(usedforsecurity=False)
        size = 0
        with path.open("wb") as file:
            while piece := await sent.read(CHUNK_BYTES):
                digest.update(piece)
                size += file.write(piece)
        content_type = sent.content_type or "application/octet-stream"
        name = sent.filename or "file"
        return Bitstream(identifier, name, path, size, digest.hexdigest(), content_type)

    async def patch(self, request: Request) -> Response:
        """Edit a draft's sections."""
        draft = self._own(request)
        licence, edits = draft.licence, []
        for operation in metadata.operations(await _json(request)):
            match str(operation["path"]).strip("/").split("/"):
                case ["sections", page, *rest] if page in PAGES and rest:
                    edits.append((operation, rest))
                case ["sections", "license", "granted"]:
                    granted = operation["op"] != "remove" and operation.get("value") is not False
                    licence = now() if granted else ""
                case _:
                    raise hal.ApiError(422, f"The path {operation['path']} is not supported")
        draft.item.metadata = metadata.patched(draft.item.metadata, edits)
        draft.licence = licence
        draft.item.last_modified = now()
        return hal.answer(self._draft(request, draft))

    async def delete(self, request: Request) -> Response:
        """Throw a draft away."""
        draft = self._own(request)
        del self.drafts[draft.number]
        self.repository.discard(draft.item)
        return Response(status_code=204)

    async def deposit(self, request: Request) -> Response:
        """Deposit the draft whose URL is the body: archived at once, or sent to review."""
        require_account(request)
        reference = (await request.body()).decode(errors="replace").strip()
        number = reference.rstrip("/").rpartition("/")[2]
        if "/submission/workspaceitems/" not in reference or not number.isdigit():
            raise hal.ApiError(422, f"{reference!r} is not the URL of a workspace item")
        request.path_params["number"] = int(number)
        draft = self._own(request, missing=422)
        errors = _errors(draft)
        if errors:
            raise hal.ApiError(422, f"The submission is not complete: {json.dumps(errors)}")
        del self.drafts[draft.number]
        self.deposited += 1
        if self.repository.collections[draft.item.collection].workflow:
            self.waiting[draft.number] = draft
            return hal.answer(self._waiting(request, draft), 201)
        self.repository.archive(draft.item)
        return Response(status_code=201)

    async def workflow_item(self, request: Request) -> Response:
        """Describe a deposit that waits for review."""
        require_account(request)
        draft = self.waiting.get(request.path_params["number"])
        if draft is None:
            raise hal.ApiError(404, "The resource could not be found")
        return hal.answer(self._waiting(request, draft))

    async def patch_item(self, request: Request) -> Response:
        """Edit an archived item's metadata."""
        item = self.repository.items.get(request.path_params["uuid"])
        require_account(request)
        if item is None:
            raise hal.ApiError(404, "The resource could not be found")
        if not may_write(request, item):
            raise hal.ApiError(403, "Access is denied")
        edits = []
        for operation in metadata.operations(await _json(request)):
            path = str(operation["path"]).strip("/").split("/")
            if len(path) < 2 or path[0] != "metadata":
                raise hal.ApiError(422, f"The path {operation['path']} is not supported")
            edits.append((operation, path[1:]))
        item.metadata = metadata.patched(item.metadata, edits)
        item.last_modified = now()
        if item.in_archive:
            self.repository.index.put(item, self.repository.scopes(item))
        return hal.answer(hal.item(hal.base(request), item))

    def _own(self, request: Request, missing: int = 404) -> WorkspaceItem:
        account = require_account(request)
        draft = self.drafts.get(request.path_params["number"])
        if draft is None:
            raise hal.ApiError(missing, "There is no such workspace item")
        if not (account.administrator or account.uuid == draft.item.submitter):
            raise hal.ApiError(403, "Access is denied")
        return draft

    def _draft(self, request: Request, draft: WorkspaceItem) -> hal.Json:
        api = hal.base(request)
        here = f"{api}/submission/workspaceitems/{draft.number}"
        return {
            "id": draft.number,
            "lastModified": draft.item.last_modified,
            "errors": _errors(draft),
            "sections": _sections(api, draft),
            "type": "workspaceitem",
            "_embedded": {"item": hal.item(api, draft.item)},
            "_links": hal.links(here, "collection", "item", "submissionDefinition"),
        }

    def _waiting(self, request: Request, draft: WorkspaceItem) -> hal.Json:
        api = hal.base(request)
        here = f"{api}/workflow/workflowitems/{draft.number}"
        return {
            "id": draft.number,
            "sections": _sections(api, draft),
            "type": "workflowitem",
            "_links": hal.links(here, "item", "collection", "step"),
        }


def _sections(api: str, draft: WorkspaceItem) -> hal.Json:
    known = draft.item.metadata
    files = [one for b in draft.item.bundles if b.name == "ORIGINAL" for one in b.bitstreams]
    return {
        "collection": draft.item.collection,
        "traditionalpageone": {k: v for k, v in known.items() if k not in SECOND_PAGE},
        "traditionalpagetwo": {k: v for k, v in known.items() if k in SECOND_PAGE},
        "upload": {"primary": None, "files": [_uploaded(api, one) for one in files]},
        "license": {
            "granted": bool(draft.licence),
            "acceptanceDate": draft.licence or None,
            "url": None,
        },
    }


def _uploaded(api: str, one: Bitstream) -> hal.Json:
    return {
        "uuid": one.uuid,
        "metadata": {"dc.title": [{"value": one.name}], "dc.source": [{"value": one.name}]},
        "sizeBytes": one.size,
        "checkSum": {"checkSumAlgorithm": "MD5", "value": one.md5},
        "format": {"mimetype": one.content_type},
        "url": f"{api}/core/bitstreams/{one.uuid}/content",
    }


def _errors(draft: WorkspaceItem) -> list[hal.Json]:
    missing = [name for name in REQUIRED if not draft.item.metadata.get(name)]
    errors: list[hal.Json] = []
    if missing:
        paths = [f"/sections/traditionalpageone/{name}" for name in missing]
        errors.append({"message": "error.validation.required", "paths": paths})
    if not draft.item.bundles:
        errors.append({"message": "error.validation.filerequired", "paths": ["/sections/upload"]})
    if not draft.licence:
        path = "/sections/license"
        errors.append({"message": "error.validation.license.required", "paths": [path]})
    return errors


async def _json(request: Request) -> object:
    try:
        return json.loads(await request.body())
    except ValueError as fault:
        raise hal.ApiError(400, "The request body is not JSON") from fault
