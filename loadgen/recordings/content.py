"""Chooses a piece of content to look for in each answer: the same in every session, yet telling."""

import html
import json
import re
from collections import Counter
from collections.abc import Collection, Sequence

from loadgen.recordings.exchange import Exchange
from loadgen.shared.text import BODY_VALUES_MAX, require_few_values

_TITLE = re.compile(r"<title[^>]*>([^<]+)</title>", re.IGNORECASE)
_HEADING = re.compile(r"<h[12][^>]*>([^<]+)</h[12]>", re.IGNORECASE)
_CONTROL = re.compile(r"<(?:button|a|label)\b[^>]*>([^<]+)</", re.IGNORECASE)
LONGEST = 60


def choose(number: int, exchanges: Sequence[Exchange], secrets: Collection[str]) -> str:
    """Return a text that the answer holds, and that a replayed one will hold too.

    For a page whose address has an identifier that is the text of the site, which most pages have;
    for JSON a key. Empty when the answer has no text.
    """
    exchange = exchanges[number]
    text = exchange.answer.text
    if not text or exchange.method == "HEAD" or exchange.status in {204, 304}:
        return ""
    if "json" in exchange.answer_type:
        return _key(text)
    if "html" in exchange.answer_type:
        others = [
            one.answer.text
            for place, one in enumerate(exchanges)
            if place != number and "html" in one.answer_type and one.answer.text
        ]
        varies = re.search(r"/\d+(/|$)|[0-9a-fA-F]{8}-", exchange.url.path) is not None
        return _phrase(text, secrets, others if varies else [])
    return ""


def _key(text: str) -> str:
    try:
        body = json.loads(require_few_values(text, BODY_VALUES_MAX))
    except (ValueError, RecursionError):
        return ""
    keys = [key for key in body if re.fullmatch(r"\w+", key)] if isinstance(body, dict) else []
    # These headers say the least about a single answer.
    keys.sort(key=lambda key: key in {"id", "timestamp", "page", "_links"})
    return f'"{keys[0]}"' if keys else ""


def _phrase(text: str, secrets: Collection[str], others: Sequence[str]) -> str:
    """Return a text of the page without secrets, the first one, or the one most pages share."""
    phrases = [
        phrase
        for pattern in (_TITLE, _HEADING, _CONTROL)
        for phrase in (str(found).strip() for found in pattern.findall(text))
        if 2 < len(phrase) <= LONGEST
        and not any(secret in html.unescape(phrase) for secret in secrets)
    ]
    if not others:
        return phrases[0] if phrases else ""
    shared = Counter({phrase: sum(phrase in other for other in others) for phrase in phrases})
    return shared.most_common(1)[0][0] if shared.total() else ""
