"""The repository's content: made from a seed, kept in memory, its files on disk.

Vocabulary is DSpace's. Every identifier comes from one seeded generator, so two repositories of
one seed that serve the same requests in the same order are equal.
"""

import hashlib
import random
import tempfile
import uuid
from datetime import UTC, datetime
from pathlib import Path

from loadgen.simulators.dspace.model import (
    Bitstream,
    Bundle,
    Collection,
    Community,
    Item,
    metadata_value,
)
from loadgen.simulators.dspace.search import Index

TOP_COMMUNITIES = 4
COLLECTIONS_A_COMMUNITY = 2
ITEMS_A_COLLECTION = 24
MEDIAN_FILE_BYTES = 40_000
LARGEST_FILE_BYTES = 1_000_000
HANDLE_PREFIX = "123456789"

_SUBJECTS = """
climate glacier ocean river forest soil energy transport housing language music history
archive library network software algorithm statistics medicine nutrition education law
economy migration election ethics philosophy sculpture theatre astronomy chemistry genetics"""
_FORMS = ("A study of", "Notes on", "Measuring", "The history of", "Models of", "Data on")
_FAMILY = "Adams Bauer Costa Dubois Evans Fischer Garcia Hansen Ito Jensen Kowalski Lopez"
_GIVEN = "Ana Ben Carla David Elena Frank Grace Hugo Ines Jan"
_TYPES = ("Article", "Book", "Dataset", "Thesis")


class Repository:
    """All content. `index` finds items; files live in a directory that ends with `close()`."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._directory = tempfile.TemporaryDirectory(prefix="dspace-")
        self._handles = 0
        self.communities: dict[str, Community] = {}
        self.collections: dict[str, Collection] = {}
        self.items: dict[str, Item] = {}
        self.bundles: dict[str, Bundle] = {}
        self.bitstreams: dict[str, Bitstream] = {}
        self.owners: dict[str, str] = {}
        self.index = Index()
        self._fill()

    def close(self) -> None:
        """Remove the files."""
        self._directory.cleanup()

    def new_uuid(self) -> str:
        """Return the next identifier of the seeded sequence."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def new_handle(self) -> str:
        """Return the next handle, `123456789/1` being the first."""
        self._handles += 1
        return f"{HANDLE_PREFIX}/{self._handles}"

    def new_file(self) -> tuple[str, Path]:
        """Return a new bitstream's UUID and the path its bytes belong at."""
        identifier = self.new_uuid()
        return identifier, Path(self._directory.name) / identifier

    def add_bitstream(self, item: Item, bundle_name: str, bitstream: Bitstream) -> None:
        """Put a bitstream into the item's bundle of that name, which is made when missing."""
        bundle = next((b for b in item.bundles if b.name == bundle_name), None)
        if bundle is None:
            bundle = Bundle(self.new_uuid(), bundle_name)
            item.bundles.append(bundle)
            self.bundles[bundle.uuid] = bundle
            self.owners[bundle.uuid] = item.uuid
        bundle.bitstreams.append(bitstream)
        self.bitstreams[bitstream.uuid] = bitstream
        self.owners[bitstream.uuid] = item.uuid

    def archive(self, item: Item) -> None:
        """Give the item a handle and an accession date, and make it findable."""
        item.handle = self.new_handle()
        item.in_archive = True
        item.metadata["dc.date.accessioned"] = [metadata_value(now())]
        item.metadata["dc.identifier.uri"] = [
            metadata_value(f"https://hdl.handle.net/{item.handle}")
        ]
        self.collections[item.collection].items.append(item.uuid)
        self.index.put(item, self.scopes(item))

    def discard(self, item: Item) -> None:
        """Forget an item and its files."""
        for bundle in item.bundles:
            for bitstream in bundle.bitstreams:
                bitstream.path.unlink(missing_ok=True)
                self.bitstreams.pop(bitstream.uuid, None)
            self.bundles.pop(bundle.uuid, None)
        self.items.pop(item.uuid, None)

    def scopes(self, item: Item) -> set[str]:
        """Return the containers that hold the item: its collection and every community above."""
        containers = {item.collection}
        parent: str | None = self.collections[item.collection].community
        while parent:
            containers.add(parent)
            parent = self.communities[parent].parent
        return containers

    def _fill(self) -> None:
        for number in range(TOP_COMMUNITIES):
            top = self._add_community(f"Faculty {number + 1}", None)
            below = self._add_community(f"Institute {number + 1}", top)
            for community in (top, below):
                for _ in range(COLLECTIONS_A_COMMUNITY):
                    self._add_collection(community)
        # One collection has a review step, so that both answers to a deposit exist.
        list(self.collections.values())[-1].workflow = True

    def _add_community(self, name: str, parent: Community | None) -> Community:
        made = Community(self.new_uuid(), name, self.new_handle(), parent.uuid if parent else None)
        self.communities[made.uuid] = made
        if parent:
            parent.subcommunities.append(made.uuid)
        return made

    def _add_collection(self, community: Community) -> None:
        name = f"{community.name}: {self._random.choice(_SUBJECTS.split())} papers"
        made = Collection(self.new_uuid(), name, self.new_handle(), community.uuid)
        self.collections[made.uuid] = made
        community.collections.append(made.uuid)
        for number in range(ITEMS_A_COLLECTION):
            self._add_item(made, restricted=number == 0)

    def _add_item(self, collection: Collection, *, restricted: bool) -> None:
        subjects = self._random.sample(_SUBJECTS.split(), 3)
        title = f"{self._random.choice(_FORMS)} {subjects[0]} and {subjects[1]}"
        authors = [
            f"{self._random.choice(_FAMILY.split())}, {self._random.choice(_GIVEN.split())}"
            for _ in range(2)
        ]
        issued = f"{self._random.randint(1995, 2025)}-{self._random.randint(1, 12):02d}"
        abstract = " ".join(self._random.choices(_SUBJECTS.split(), k=60))
        item = Item(
            uuid=self.new_uuid(),
            handle=None,
            collection=collection.uuid,
            metadata={
                "dc.title": [metadata_value(title, "en")],
                "dc.contributor.author": [metadata_value(author) for author in authors],
                "dc.date.issued": [metadata_value(issued)],
                "dc.type": [metadata_value(self._random.choice(_TYPES), "en")],
                "dc.subject": [metadata_value(subject, "en") for subject in subjects],
                "dc.description.abstract": [metadata_value(abstract, "en")],
            },
            bundles=[],
            last_modified=now(),
            restricted=restricted,
        )
        self.items[item.uuid] = item
        self._add_file(item, "ORIGINAL", "paper.pdf", "application/pdf", b"%PDF-1.4\n")
        self._add_file(item, "LICENSE", "license.txt", "text/plain", b"NOTE: licence\n", size=1_500)
        self.archive(item)

    def _add_file(
        self, item: Item, bundle: str, name: str, content_type: str, head: bytes, size: int = 0
    ) -> None:
        drawn = int(self._random.lognormvariate(0, 1) * MEDIAN_FILE_BYTES)
        content = head + self._random.randbytes(size or min(drawn, LARGEST_FILE_BYTES))
        identifier, path = self.new_file()
        path.write_bytes(content)
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        made = Bitstream(identifier, name, path, len(content), md5, content_type)
        self.add_bitstream(item, bundle, made)


def now() -> str:
    """Return the time as DSpace writes it: `2026-11-21T03:00:00.000+00:00`."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
