"""The repository's objects: communities, collections, items, bundles and bitstreams."""

from dataclasses import dataclass, field
from pathlib import Path

Metadata = dict[str, list[dict[str, object]]]


def metadata_value(value: str, language: str | None = None) -> dict[str, object]:
    """One metadata value with DSpace's defaults: no authority, confidence -1."""
    return {"value": value, "language": language, "authority": None, "confidence": -1}


@dataclass
class Bitstream:
    """A file: `path` on disk, `size` in bytes, `md5` as hexadecimal digits."""

    uuid: str
    name: str
    path: Path
    size: int
    md5: str
    content_type: str


@dataclass
class Bundle:
    """A named group of an item's bitstreams: ORIGINAL, LICENSE, THUMBNAIL."""

    uuid: str
    name: str
    bitstreams: list[Bitstream] = field(default_factory=list)


@dataclass
class Collection:
    """Holds items; with a `workflow`, deposited items wait for a reviewer."""

    uuid: str
    name: str
    handle: str
    community: str
    items: list[str] = field(default_factory=list)
    workflow: bool = False


@dataclass
class Community:
    """Holds communities and collections, by UUID; a top one has no `parent`."""

    uuid: str
    name: str
    handle: str
    parent: str | None
    subcommunities: list[str] = field(default_factory=list)
    collections: list[str] = field(default_factory=list)


@dataclass
class Item:
    """A publication. A restricted one is for administrators and its submitter alone."""

    uuid: str
    handle: str | None
    collection: str
    metadata: Metadata
    bundles: list[Bundle]
    last_modified: str
    submitter: str | None = None
    in_archive: bool = True
    restricted: bool = False

    @property
    def name(self) -> str:
        """The first title."""
        titles = self.metadata.get("dc.title") or [{"value": ""}]
        return str(titles[0]["value"])

    def values(self, key: str) -> list[str]:
        """Return the values of one metadata key."""
        return [str(entry["value"]) for entry in self.metadata.get(key, [])]
