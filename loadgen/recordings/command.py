"""`loadgen record HAR`: reads a recording, writes a locustfile, and says what was done to it."""

from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from subprocess import CalledProcessError
from urllib.parse import urlsplit

from loadgen.recordings import source
from loadgen.recordings.exchange import is_endless, is_load, is_socket, is_upgrade, is_web
from loadgen.recordings.har import Entry, Recording, read
from loadgen.recordings.session import WrittenSession
from loadgen.recordings.site import chosen_site, origin_of
from loadgen.shared.command import as_typed
from loadgen.shared.errors import UsageError
from loadgen.shared.files import write_texts
from loadgen.shared.made_source import class_name, module_name
from loadgen.shared.origin import origin
from loadgen.shared.request_names import group_path
from loadgen.shared.text import plain

TEMPLATE = Path(__file__).with_name("locustfile.jinja2")
# The exceptions that a file causes that only looks like a HAR: a list instead of a map, a number
# instead of a text.
UNREADABLE = (
    *(LookupError, TypeError, AttributeError, ValueError, RecursionError, CalledProcessError),
)
REPLACED_PLUGINS = ["rest.py", "default_headers.py", "ruff.py"]
RESOURCE_TYPES = "xhr,document,other,fetch,eventsource"
MOST_NAMED = 10
LONGEST_SCHEME = 20
# Names that the made locustfile has already.
TAKEN = {
    *("Session", "RecordedSession", "RecordedUser", "AccountPool"),
    *("Address", "Cookie", "Field", "Header", "Json", "Link", "Location", "Text"),
}


@dataclass(frozen=True)
class _Kept:
    """A recording's entries of one site, and the counts of others by site, and by scheme."""

    site: str
    entries: list[Entry]
    others: Counter[str]
    elsewhere: Counter[str]


def record(options: Namespace) -> int:
    """Carry out `loadgen record`; raises UsageError when the recording can't be used."""
    output = options.output or Path("locustfiles") / f"{module_name(options.har.stem)}.py"
    if output.exists() and not options.output:
        raise UsageError(f"{output} exists already: name another file with --output")
    recording = read(options.har)
    kept = _of_site(recording, options.host)
    try:
        text, session = convert(kept.entries, options.har)
    except UNREADABLE as fault:
        raise UsageError(
            f"recording {options.har} is not a valid HAR file: its requests can't be read "
            f"({type(fault).__name__}); save the session again, as HAR"
        ) from fault
    write_texts({output: text})
    print(as_typed(plain(_report(output, session, kept, recording.left_out))))
    return 0


def _of_site(recording: Recording, host: str | None) -> _Kept:
    web = [entry for entry in recording.entries if is_web(entry)]
    if not web:
        raise UsageError(
            f"recording {recording.path} has no HTTP requests: record pages of a web site"
        )
    site = _given_site(host) if host else chosen_site(web)
    kept = [entry for entry in web if origin_of(entry) == site]
    counts = Counter(map(origin_of, web))
    if not kept:
        raise UsageError(
            f"recording {recording.path} has no request to {site}; its requests went "
            f"to {', '.join(sorted(counts)[:5])}"
        )
    del counts[site]
    elsewhere = Counter(
        urlsplit(one["request"]["url"]).scheme[:LONGEST_SCHEME] or "no address"
        for one in recording.entries
        if not is_web(one) and one["request"]["method"].upper() != "CONNECT"
    )
    return _Kept(site, kept, counts, elsewhere)


def _given_site(host: str) -> str:
    try:
        return origin(host)
    except ValueError as fault:
        raise UsageError(
            f"--host {host} is not a base URL, such as https://shop.example: {fault}"
        ) from fault


def convert(entries: Sequence[Entry], path: Path) -> tuple[str, WrittenSession]:
    """Return the locustfile's source and the session, by way of har2locust."""
    # har2locust is installed where locustfiles are made, and not where they run.
    try:
        from har2locust.__main__ import load_plugins, process, render  # noqa: PLC0415
    except ImportError as fault:
        raise UsageError(
            "har2locust is not installed, and loadgen record needs it: make .venv/.controller"
            " installs it"
        ) from fault

    load_plugins(["loadgen/recordings/plugin"], REPLACED_PLUGINS)
    har = {"log": {"version": "1.2", "entries": list(entries)}}
    values = process(har, Namespace(input=str(path), resource_types=RESOURCE_TYPES))
    session: WrittenSession | None = values["session"]
    if session is None:
        raise UsageError(
            f"recording {path} has only requests for static files: record the pages of the site "
            "themselves"
        )
    values |= {
        "recording": source.comment(path.name),
        "site": source.comment(session.host),
        "class_name": class_name(path.stem, TAKEN),
    }
    text: str = render(str(TEMPLATE), values)
    leaked = session.secrets.leaked_into(text)
    if leaked:
        raise UsageError(
            f"recording {path}: {leaked[0]} also occurs in places "
            f"from which it can't be removed, so nothing was written: record again "
            f"with a secret that occurs nowhere else"
        )
    return text, session


def _report(output: Path, session: WrittenSession, kept: _Kept, odd: list[str]) -> str:
    return "\n".join(
        [
            f"wrote {output}: {_counted(len(session.pages), 'page')},"
            f" {_counted(len(session.exchanges), 'request')} to {session.host},"
            f" {_counted(session.values, 'value')} taken from earlier responses",
            *_sockets(session),
            *_left_out(session, kept, odd),
            *_taken_out(session),
            *_uncertain(session),
            f"run it: loadgen run --locustfile {quote(str(output))} --host {quote(session.host)}",
        ]
    )


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _sockets(session: WrittenSession) -> list[str]:
    if not session.sockets:
        return []
    return [f"{session.sockets} of the requests are WebSockets, replayed with their messages"]


def _left_out(session: WrittenSession, kept: _Kept, odd: list[str]) -> list[str]:
    named = [
        *(
            f"the WebSocket {_path(one)}, whose messages are not in the recording"
            for one in kept.entries
            if is_upgrade(one) and not is_socket(one)
        ),
        *(
            f"the stream of events {_path(one)}, which has no end of its own"
            for one in kept.entries
            if is_endless(one) and not is_upgrade(one)
        ),
        *odd,
    ]
    files = sum(
        not is_load(one) and not is_upgrade(one) and not is_endless(one) for one in kept.entries
    )
    lines = [f"left out: {files} static files, preflights and pings"] if files else []
    if kept.elsewhere:
        kinds = ", ".join(sorted(kept.elsewhere)[:MOST_NAMED])
        lines.append(f"left out: {kept.elsewhere.total()} requests that are not HTTP: {kinds}")
    lines += [f"left out: {one}" for one in named[:MOST_NAMED]]
    if len(named) > MOST_NAMED:
        lines.append(f"left out: {len(named) - MOST_NAMED} more of these")
    ignored = len(kept.entries) - files - len(session.exchanges)
    ignored -= len(named) - len(odd)
    if ignored:
        lines.append(f"left out: {ignored} requests, as .urlignore or .methodignore says")
    if kept.others:
        sites = ", ".join(f"{site} ({count})" for site, count in kept.others.most_common(5))
        lines.append(f"left out: {kept.others.total()} requests to other sites: {sites}")
    if session.hop_headers:
        names = ", ".join(sorted(session.hop_headers))
        lines.append(f"left out: headers that proxies added: {names}")
    if session.odd_headers:
        names = ", ".join(sorted(session.odd_headers)[:MOST_NAMED])
        lines.append(f"left out: headers that can't be sent over HTTP: {names}")
    return lines


def _path(entry: Entry) -> str:
    return group_path(urlsplit(entry["request"]["url"]).path) or "/"


def _taken_out(session: WrittenSession) -> list[str]:
    lines = [
        f"secret removed: the login {login} uses each user's own account (ACCOUNTS)"
        for login in session.secrets.logins
    ]
    lines += [
        f"secret removed: {place}; set {name} before a run"
        for name, place in session.secrets.variables.items()
    ]
    return lines


def _uncertain(session: WrittenSession) -> list[str]:
    lines = []
    if session.made_up_files:
        lines.append(
            f"{session.made_up_files} uploads have invented content: the recording "
            f"doesn't contain theirs"
        )
    lines += [
        f"check this one: {one} is sent without its body, because the recording doesn't contain it"
        for one in sorted(set(session.lost_bodies))
    ]
    lines += [
        f"check this one: the authorization {one} is valid for the recorded request only"
        for one in dict.fromkeys(session.one_time)
    ]
    lines += [f"check this one: a pause of {one} is kept" for one in session.long_pauses]
    if session.lost_cookies:
        names = ", ".join(session.lost_cookies[:MOST_NAMED])
        lines.append(
            f"check this one: a user starts without these cookies, which no recorded "
            f"response sets: {names}; if"
            " the site needs one of them, record from the login on, in a private window"
        )
    lines += [
        f"check this one: the recording doesn't contain the response with the {guess}, "
        f"so the locustfile guesses where the value comes from"
        for guess in sorted(set(session.guesses))
    ]
    lines += [
        f"kept as recorded, because no earlier answer contains it: {identifier}"
        for identifier in sorted(set(session.unexplained))[:MOST_NAMED]
    ]
    return lines
