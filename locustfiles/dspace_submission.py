"""The whole story of a submission, step by step: from login to the edited, archived item.

Log in, start a submission, upload a file, describe it, grant the licence, deposit, edit the
archived item, log out. A step that fails ends the story; the next one begins anew.

    make run-distributed LOCUSTFILE=locustfiles/dspace_submission.py HOST=https://repository.example.org
    ACCOUNTS=accounts.csv     the submitters: columns username,password (see docs/scenarios.md)
"""

import random
from typing import ClassVar

from locust import SequentialTaskSet, between, events, task
from locust.exception import InterruptTaskSet

from loadgen.scenario import AccountPool, FastUser, Login
from locustfiles.dspace_client import DSpaceClient, Json

SIMULATOR = "dspace"
FILE_BYTES = 200_000
PAGE = "/sections/traditionalpageone"

accounts = AccountPool()
accounts.listen_to(events)


class Story(SequentialTaskSet):
    """One submission from beginning to end. `user` is the submitter."""

    user: "Submitter"
    content: ClassVar[bytes] = b"%PDF-1.4\n" + bytes(FILE_BYTES)

    def on_start(self) -> None:
        """Take a fresh sheet."""
        self.draft: Json = {}
        self.deposited = False

    def on_stop(self) -> None:
        """Leave no draft behind when the story ends early."""
        if self.draft and not self.deposited:
            self.user.site.delete_draft(self.draft)

    @task
    def log_in(self) -> None:
        """Log in again after the last story's logout, and see whether it holds."""
        site = self.user.site
        if not site.jwt and site.log_in(self.user.account) is not Login.ACCEPTED:
            raise InterruptTaskSet
        if not (site.status() or {}).get("authenticated"):
            raise InterruptTaskSet

    @task
    def start(self) -> None:
        """Choose a collection and start a draft."""
        path = "/core/collections/search/findSubmitAuthorized?size=10"
        collections = self.user.site.embedded(path, "collections")
        if not collections:
            raise InterruptTaskSet
        self._keep(self.user.site.start_submission(random.choice(collections)["uuid"]))

    @task
    def upload(self) -> None:
        """Upload the file; the draft lists it."""
        self._keep(self.user.site.upload(self.draft, "thesis.pdf", self.content))
        if not self.draft["sections"]["upload"]["files"]:
            raise InterruptTaskSet

    @task
    def describe(self) -> None:
        """Fill in the required fields."""
        fields = {"dc.title": "A load test", "dc.date.issued": "2026-11", "dc.type": "Thesis"}
        self._keep(
            self.user.site.patch_draft(
                self.draft,
                [
                    {"op": "add", "path": f"{PAGE}/{name}", "value": [{"value": value}]}
                    for name, value in fields.items()
                ],
            )
        )

    @task
    def grant_licence(self) -> None:
        """Accept the repository's licence."""
        granted = {"op": "add", "path": "/sections/license/granted", "value": True}
        self._keep(self.user.site.patch_draft(self.draft, [granted]))

    @task
    def deposit(self) -> None:
        """Hand it in."""
        self.deposited = self.user.site.deposit(self.draft)
        if not self.deposited:
            raise InterruptTaskSet

    @task
    def edit(self) -> None:
        """Open the item and, when it is archived already, edit its title."""
        uuid = self.draft["_embedded"]["item"]["uuid"]
        item = self.user.site.get(f"/core/items/{uuid}")
        if item and item["inArchive"]:
            title = {"value": f"A load test, edited by {self.user.account.username}"}
            edit = {"op": "replace", "path": "/metadata/dc.title/0", "value": title}
            self.user.site.patch_item(uuid, [edit])

    @task
    def log_out(self) -> None:
        """End the session, and the story."""
        self.user.site.log_out()
        raise InterruptTaskSet

    def _keep(self, draft: Json | None) -> None:
        if draft is None:
            raise InterruptTaskSet
        self.draft = draft


class Submitter(FastUser):
    """Submits one thing after the other, with an account of its own."""

    wait_time = between(0.5, 1.5)
    story = task(Story)

    def on_start(self) -> None:
        """Arrive and log in."""
        self.site = DSpaceClient(self.client)
        self.account = accounts.log_in(self, self.site.log_in)

    def on_stop(self) -> None:
        """Leave."""
        self.site.log_out()
        accounts.give_back(self)
