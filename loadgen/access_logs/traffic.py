"""What is counted of an access log's hits, in memory that doesn't grow with their number."""

import random
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from loadgen.access_logs.lines import Hit
from loadgen.shared.request_names import group_path
from loadgen.shared.secret_names import (
    has_word,
    is_query_secret,
    names_password,
    names_user,
    tokens,
)

MOST_ROUTES = 2_000
MOST_EXAMPLES = 50
MOST_CLIENTS = 100_000
MOST_BINS = 20_000
VISIT_GAP_SECONDS = 1800.0
LONGEST_VISIT = 1_000
LONGEST_PATH = 2_000
MOST_REMEMBERED = 20_000
LONGEST_REMEMBERED = 300
MOST_SECRETS = 20
REPLAYED_METHODS = ("GET", "HEAD")
OTHER = "(other)"
Route = tuple[str, str]


@dataclass
class Examples:
    """A fair sample of what was asked for on one route (reservoir sampling)."""

    seen: int = 0
    paths: list[str] = field(default_factory=list)

    def add(self, path: str, draw: random.Random) -> None:
        """Count one more, and keep it as often as any other."""
        self.seen += 1
        if len(self.paths) < MOST_EXAMPLES:
            self.paths.append(path)
        elif (place := int(draw.random() * self.seen)) < MOST_EXAMPLES:
            self.paths[place] = path


@dataclass
class Traffic:
    """Counts of hits: `routes` are those that can be replayed, `left_out` the others by reason.

    `bins` has hits by second of the log, in steps of `step` seconds that grow with its length.
    `pauses` are between two hits of one visit, rounded; `lengths` are hits a visit.
    """

    step: float = 1.0
    hits: int = 0
    first: float = 0.0
    last: float = 0.0
    routes: dict[Route, Examples] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    bins: Counter[int] = field(default_factory=Counter)
    pauses: Counter[float] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)
    secrets: set[str] = field(default_factory=set)
    clients: int = 0
    _visits: dict[int, tuple[float, int]] = field(default_factory=dict)
    _known: dict[str, tuple[Route, str]] = field(default_factory=dict)
    _draw: random.Random = field(default_factory=lambda: random.Random(42))

    def add(self, hit: Hit) -> None:
        """Count one hit."""
        self.hits += 1
        if hit.status >= 400:
            self.left_out[f"answered {hit.status // 100}xx"] += 1
            return
        if not hit.path.startswith("/"):
            self.left_out["not for a path of the site"] += 1
            return
        if hit.method not in REPLAYED_METHODS:
            route, _ = self._route(hit.method, hit.path)
            name = route[1] if len(self.left_out) < MOST_ROUTES else OTHER
            self.left_out[f"{hit.method} {name}"] += 1
            return
        route, path = self._route(hit.method, hit.path)
        if not path:
            name = route[1] if len(self.left_out) < MOST_ROUTES else OTHER
            self.left_out[f"{hit.method} {name}, whose path has a secret"] += 1
            return
        if route not in self.routes and len(self.routes) >= MOST_ROUTES:
            self.left_out["routes beyond the first 2,000"] += 1
            return
        examples = self.routes.get(route)
        if examples is None:
            examples = self.routes[route] = Examples()
        examples.add(path, self._draw)
        self._place(hit.time)
        self._visit(hash(hit.client), hit.time)

    def finish(self) -> None:
        """Count the visits that are still under way."""
        self.lengths.update(length for _, length in self._visits.values())
        self._visits.clear()

    @property
    def replayed(self) -> int:
        """How many hits can be replayed."""
        return sum(one.seen for one in self.routes.values())

    def _route(self, method: str, path: str) -> tuple[Route, str]:
        """Return a hit's route, and what may be asked for again: nothing if its path is secret."""
        known = self._known.get(path)
        if known is None:
            clean = self._clean(path[:LONGEST_PATH])
            secret = any(tokens(clean.partition("?")[0]))
            known = ((method, group_path(clean)), "" if secret else clean)
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            if len(path) <= LONGEST_REMEMBERED:
                self._known[path] = known
        (_, name), clean = known
        return (method, name), clean

    def _clean(self, path: str) -> str:
        """Return a path without the parameters that are somebody's secrets, and no fragment."""
        bare, mark, query = path.partition("#")[0].partition("?")
        path = (bare := self._clean_segments(bare)) + mark + query
        if not mark:
            return path
        pairs = parse_qsl(query, keep_blank_values=True)
        beside = has_word(bare)
        kept = [
            (name, value) for name, value in pairs if not _is_private(name, value, beside=beside)
        ]
        if len(kept) == len(pairs):
            return path
        if len(self.secrets) < MOST_SECRETS:
            self.secrets |= {one[0][:40] for one in pairs if one not in kept}
        return f"{bare}?{urlencode(kept)}" if kept else bare

    def _clean_segments(self, bare: str) -> str:
        """Return a path without such parameters of its segments, as `;jsessionid=` is."""
        first, *parameters = bare.split(";")
        kept = first
        for one in parameters:
            pair, slash, rest = one.partition("/")
            name, _, value = pair.partition("=")
            if not _is_private(name, value):
                kept += ";" + one
                continue
            kept += slash + rest
            if len(self.secrets) < MOST_SECRETS:
                self.secrets.add(name[:40])
        return kept

    def _place(self, time: float) -> None:
        if not self.bins:
            self.first = self.last = time
        if time > self.last:
            self.last = time
        elif time < self.first:
            self.first = time
        place = int(time // self.step)
        if place in self.bins:
            self.bins[place] += 1
            return
        self.bins[place] = 1
        while len(self.bins) > MOST_BINS:
            self.step *= 2
            wider: Counter[int] = Counter()
            for place, count in self.bins.items():
                wider[place // 2] += count
            self.bins = wider

    def _visit(self, client: int, time: float) -> None:
        visit = self._visits.get(client)
        if visit is None:
            self.clients += 1
            self._visits[client] = (time, 1)
            if len(self._visits) > MOST_CLIENTS:
                self._end_visits(time)
            return
        before, length = visit
        pause = max(0.0, time - before)
        if pause > VISIT_GAP_SECONDS or length >= LONGEST_VISIT:
            self.lengths[length] += 1
            self.clients += 1
            length = 0
        else:
            self.pauses[round(pause, 1) if pause < 10 else round(pause)] += 1
        self._visits[client] = (max(before, time), length + 1)

    def _end_visits(self, now: float) -> None:
        """End the visits whose clients are gone; the oldest half, when none is."""
        gone = [one for one, (time, _) in self._visits.items() if now - time > VISIT_GAP_SECONDS]
        if not gone:
            by_time = sorted(self._visits, key=lambda one: self._visits[one][0])
            gone = by_time[: len(by_time) // 2]
        for one in gone:
            self.lengths[self._visits.pop(one)[1]] += 1


def _is_private(name: str, value: str, *, beside: bool = False) -> bool:
    if names_password(name) or names_user(name):
        return True
    return is_query_secret(name, value, beside=beside)
