"""Which site of a recording is the one to load: others are advertisers, analysts and logins."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urljoin

from loadgen.recordings.exchange import REDIRECTS, is_page
from loadgen.recordings.har import Entry
from loadgen.shared.origin import web_origin


def origin_of(entry: Entry) -> str:
    """Return the base URL of the site that an entry was sent to."""
    # A WebSocket belongs to the site that serves its page.
    return web_origin(entry["request"]["url"])


def chosen_site(entries: Sequence[Entry]) -> str:
    """Return the site of the first page, or the one it redirects to that most pages came from.

    Without any page it is the site of most requests.
    """
    ordered = sorted(entries, key=lambda one: datetime.fromisoformat(one["startedDateTime"]))
    pages = [entry for entry in ordered if is_page(entry)]
    if not pages:
        return Counter(map(origin_of, ordered)).most_common(1)[0][0]
    candidates = _led_to(pages[0], ordered)
    shown = Counter(origin_of(page) for page in pages if _status(page) not in REDIRECTS)
    requests = Counter(map(origin_of, ordered))
    return max(candidates, key=lambda site: (shown[site], requests[site]))


def _led_to(page: Entry, entries: Sequence[Entry]) -> list[str]:
    """Return the sites of a page and of the redirects that follow it, each once."""
    by_address: dict[str, Entry] = {}
    for entry in entries:
        by_address.setdefault(entry["request"]["url"], entry)
    sites, seen = [origin_of(page)], {page["request"]["url"]}
    target = _target(page)
    while target in by_address and target not in seen:
        seen.add(target)
        sites.append(origin_of(by_address[target]))
        target = _target(by_address[target])
    return list(dict.fromkeys(sites))


def _target(entry: Entry) -> str:
    if _status(entry) not in REDIRECTS:
        return ""
    headers = {one["name"].lower(): one["value"] for one in entry["response"]["headers"]}
    location: str = headers.get("location") or entry["response"]["redirectURL"]
    try:
        return urljoin(str(entry["request"]["url"]), location).partition("#")[0]
    except ValueError:
        return ""


def _status(entry: Entry) -> int:
    return int(entry["response"]["status"])
