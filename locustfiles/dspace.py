"""A DSpace repository's visitors: many anonymous, some logged in, in a real site's mix.

The mix is that of a production site's logs: start page 35 %, item pages 31 %, downloads 29 %,
searches 5 %. One visitor in five is logged in, and now and then uploads a draft and discards it.

    make run-distributed LOCUSTFILE=locustfiles/dspace.py HOST=https://repository.example.org
    ACCOUNTS=accounts.csv     who logs in: columns username,password (see docs/scenarios.md)
"""

import random
from typing import ClassVar

from locust import between, events, task

from loadgen.scenario import AccountPool, FastUser
from locustfiles.dspace_client import DSpaceClient, Json

SIMULATOR = "dspace"
WORDS = ("ocean", "climate", "history", "network", "energy", "music", "law", "data")
PART_BYTES = 16 * 1024
UPLOAD_BYTES = 50_000

accounts = AccountPool()
accounts.listen_to(events)


class Visitor(FastUser):
    """Looks around. `items` are those it has come across."""

    abstract = True
    wait_time = between(0.5, 2)

    def on_start(self) -> None:
        """Arrive."""
        self.site = DSpaceClient(self.client)
        self.items: list[Json] = []

    @task(35)
    def start_page(self) -> None:
        """See the start page: the API's root, the top communities, and one community's holdings."""
        self.site.get("")
        tops = self.site.embedded("/core/communities/search/top?size=20", "communities")
        if tops:
            top = random.choice(tops)["uuid"]
            self.site.embedded(f"/core/communities/{top}/subcommunities", "communities")
            self.site.embedded(f"/core/communities/{top}/collections", "collections")

    @task(31)
    def item_page(self) -> None:
        """Open an item."""
        item = self._an_item()
        if item and self.site.get(f"/core/items/{item['uuid']}"):
            item["files"] = self.site.files(item["uuid"])
            self.site.view(item["uuid"])

    @task(29)
    def download(self) -> None:
        """Load a file: mostly whole, or again (304), sometimes a part."""
        item = self._an_item()
        if item is None:
            return
        if "files" not in item:
            item["files"] = self.site.files(item["uuid"])
        for file in item["files"][:1]:
            if random.random() < 0.2:
                self.site.download_part(file, 0, PART_BYTES - 1)
            else:
                self.site.download(file)

    @task(5)
    def search(self) -> None:
        """Search for a word, and look at a facet."""
        word = random.choice(WORDS)
        self.items = self.site.search(word) or self.items
        self.site.get(f"/discover/facets/subject?query={word}&size=5")

    def _an_item(self) -> Json | None:
        if not self.items:
            self.items = self.site.search("")
        return random.choice(self.items) if self.items else None


class AnonymousVisitor(Visitor):
    """Four visitors in five."""

    weight = 4


class RegisteredVisitor(Visitor):
    """One visitor in five; each has an account of its own."""

    weight = 1
    content: ClassVar[bytes] = b"%PDF-1.4\n" + bytes(UPLOAD_BYTES)

    def on_start(self) -> None:
        """Arrive and log in."""
        super().on_start()
        accounts.log_in(self, self.site.log_in)
        self.site.status()

    def on_stop(self) -> None:
        """Log out."""
        self.site.log_out()
        accounts.give_back(self)

    @task(10)
    def upload(self) -> None:
        """Upload a file into a draft, and discard the draft."""
        path = "/core/collections/search/findSubmitAuthorized?size=5"
        collections = self.site.embedded(path, "collections")
        if not collections:
            return
        draft = self.site.start_submission(random.choice(collections)["uuid"])
        if draft:
            self.site.upload(draft, "draft.pdf", self.content)
            self.site.delete_draft(draft)
