"""Finding items: an inverted index of words, DSpace's filters, sorting and facets."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from loadgen.simulators.dspace.model import Item

FILTERS = {
    "title": "dc.title",
    "author": "dc.contributor.author",
    "subject": "dc.subject",
    "dateIssued": "dc.date.issued",
    "itemtype": "dc.type",
}
SORTS = ("score", "dc.title", "dc.date.issued", "dc.date.accessioned", "default")
_WORD = re.compile(r"\w+")
_OPERATORS: dict[str, Callable[[list[str], str], bool]] = {
    "equals": lambda values, wanted: wanted in values,
    "notequals": lambda values, wanted: wanted not in values,
    "contains": lambda values, wanted: any(wanted in value for value in values),
    "notcontains": lambda values, wanted: not any(wanted in value for value in values),
    "authority": lambda values, wanted: wanted in values,
    "notauthority": lambda values, wanted: wanted not in values,
    "query": lambda values, wanted: any(wanted in value for value in values),
}


class FilterError(ValueError):
    """A filter, operator or sort order that the repository does not know."""


@dataclass(frozen=True)
class Filter:
    """`f.<name>=<value>,<operator>`."""

    name: str
    value: str
    operator: str

    @classmethod
    def parse(cls, name: str, text: str) -> "Filter":
        """Read a filter's parameter; raises FilterError when name or operator is unknown."""
        value, _, operator = text.rpartition(",")
        if name not in FILTERS or operator not in _OPERATORS:
            raise FilterError(f"Invalid search filter: f.{name}={text}")
        return cls(name, value, operator)

    def holds(self, item: Item) -> bool:
        """Tell whether the item passes."""
        values = [value.lower() for value in item.values(FILTERS[self.name])]
        return _OPERATORS[self.operator](values, self.value.lower())


class Index:
    """Items by word and by container. Restricted items are kept out."""

    def __init__(self) -> None:
        self._items: dict[str, Item] = {}
        self._words: dict[str, set[str]] = {}
        self._scopes: dict[str, set[str]] = {}
        self._words_of: dict[str, set[str]] = {}

    def put(self, item: Item, scopes: Iterable[str]) -> None:
        """Add an item, or renew its words after an edit."""
        if item.restricted:
            return
        for word in self._words_of.get(item.uuid, set()):
            self._words[word].discard(item.uuid)
        values = (str(entry["value"]) for entries in item.metadata.values() for entry in entries)
        words = {word.lower() for value in values for word in _WORD.findall(value)}
        self._items[item.uuid] = item
        self._words_of[item.uuid] = words
        for word in words:
            self._words.setdefault(word, set()).add(item.uuid)
        for scope in scopes:
            self._scopes.setdefault(scope, set()).add(item.uuid)

    def find(
        self, query: str = "", scope: str = "", filters: Iterable[Filter] = (), sort: str = ""
    ) -> list[Item]:
        """Return the items that hold every word of `query`, in `scope`, in the order of `sort`.

        `sort` is `<field>,<asc|desc>`; raises FilterError when the field is unknown.
        """
        field, _, direction = (sort or "default,desc").partition(",")
        if field not in SORTS or direction.lower() not in {"asc", "desc"}:
            raise FilterError(f"Invalid sort: {sort}")
        found = self._candidates(query, scope)
        for one in filters:
            found = [item for item in found if one.holds(item)]
        if field.startswith("dc."):
            found.sort(key=lambda item: (item.values(field) or [""])[0])
            if direction.lower() == "desc":
                found.reverse()
        return found

    def _candidates(self, query: str, scope: str) -> list[Item]:
        words = [word.lower() for word in _WORD.findall(query)]
        sets = [self._words.get(word, set()) for word in words]
        if scope:
            sets.append(self._scopes.get(scope, set()))
        if not sets:
            return list(self._items.values())
        # Results have the order of insertion, so that consecutive pages don't overlap.
        wanted = set.intersection(*sets)
        return [item for identifier, item in self._items.items() if identifier in wanted]


def facet(items: Iterable[Item], name: str) -> list[tuple[str, int]]:
    """Return a facet's values with their counts, most frequent first."""
    counts = Counter(value for item in items for value in set(item.values(FILTERS[name])))
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
