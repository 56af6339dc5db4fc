"""`loadgen record HAR`: reads a recording, writes a locustfile, and says what was done to it."""

from argparse import Namespace
from collections import Counter
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any
from urllib.parse import urlsplit

from loadgen.recordings import source
from loadgen.recordings.har import Entry, read
from loadgen.recordings.session import Session, origin
from loadgen.shared.errors import UsageError
from loadgen.shared.text import plain

TEMPLATE = Path(__file__).with_name("locustfile.jinja2")
# What a file that only looks like a HAR leads to: a list for a map, a number for a text.
UNREADABLE = (
    *(LookupError, TypeError, AttributeError, ValueError, RecursionError, CalledProcessError),
)
REPLACED_PLUGINS = ["rest.py", "default_headers.py", "ruff.py"]
RESOURCE_TYPES = "xhr,document,other,fetch,eventsource"


def record(options: Namespace) -> int:
    """Carry out `loadgen record`; raises UsageError when the recording can't be used."""
    output = options.output or Path("locustfiles") / f"{_module(options.har.stem)}.py"
    if output.exists() and not options.output:
        raise UsageError(f"{output} exists already: give --output (with make: OUTPUT=FILE)")
    har = read(options.har)
    try:
        text, session, entries, kept = _made(har, options)
    except UNREADABLE as fault:
        raise UsageError(
            f"recording {options.har} is no HAR file that can be read: {type(fault).__name__} in"
            " its requests; save the session again, as HAR"
        ) from fault
    try:
        output.write_text(text)
    except OSError as fault:
        raise UsageError(f"{output} can't be written: {fault.strerror}; give --output") from fault
    print(plain(_report(output, session, entries, kept)))
    return 0


def _made(har: dict[str, Any], options: Namespace) -> tuple[str, Session, list[Entry], list[Entry]]:
    """Return the source, the session, and the entries: all of them, and those of the site."""
    entries: list[Entry] = har["log"]["entries"]
    site = options.host.rstrip("/") if options.host else _site(options.har, entries)
    kept = [entry for entry in entries if _is_entry(entry) and origin(entry) == site]
    if not kept:
        raise UsageError(
            f"recording {options.har} has no request to {site}; it was made with"
            f" {', '.join(sorted({origin(entry) for entry in entries if _is_entry(entry)})[:5])}"
        )
    har["log"]["entries"] = list(kept)
    text, session = convert(har, options.har)
    return text, session, entries, kept


def convert(har: dict[str, object], path: Path) -> tuple[str, Session]:
    """Return the locustfile's source and the session, by way of har2locust."""
    # har2locust is for the machine that makes locustfiles; those that run them don't have it.
    try:
        from har2locust.__main__ import load_plugins, process, render  # noqa: PLC0415
    except ImportError as fault:
        raise UsageError(
            "har2locust is not installed here, and recordings need it: use make record HAR=FILE,"
            " which installs it"
        ) from fault

    load_plugins(["loadgen/recordings/plugin"], REPLACED_PLUGINS)
    values = process(har, Namespace(input=str(path), resource_types=RESOURCE_TYPES))
    session: Session | None = values["session"]
    if session is None:
        raise UsageError(
            f"recording {path} has only static files: record the pages of the site themselves"
        )
    values |= {
        "recording": source.comment(path.name),
        "site": source.comment(session.host),
        "class_name": _class_name(path.stem),
    }
    text: str = render(str(TEMPLATE), values)
    leaked = session.secrets.leaked_into(text)
    if leaked:
        raise UsageError(
            f"recording {path}: a secret ({leaked[0]}) also stands where it can't be taken out;"
            " nothing was written: record again with a password that is no ordinary word"
        )
    return text, session


def _site(path: Path, entries: list[Entry]) -> str:
    """Return the site that most pages came from, else most requests."""
    usable = [entry for entry in entries if _is_entry(entry)]
    pages = [entry for entry in usable if _is_page(entry)]
    counts = Counter(origin(entry) for entry in pages or usable)
    if not counts:
        raise UsageError(f"recording {path} has no HTTP requests: record pages of a web site")
    return counts.most_common(1)[0][0]


def _is_entry(entry: Entry) -> bool:
    return urlsplit(entry["request"]["url"]).scheme in {"http", "https"}


def _is_page(entry: Entry) -> bool:
    return "html" in str(entry["response"].get("content", {}).get("mimeType", ""))


def _module(stem: str) -> str:
    name = "".join(
        letter if letter.isascii() and letter.isalnum() else "_" for letter in stem.lower()
    )
    return name if name[:1].isalpha() else f"recorded_{name}"


def _class_name(stem: str) -> str:
    return "".join(word.capitalize() for word in _module(stem).split("_"))


def _report(output: Path, session: Session, entries: list[Entry], kept: list[Entry]) -> str:
    others = Counter(origin(one) for one in entries if _is_entry(one)) - Counter(map(origin, kept))
    requests = len(session.exchanges)
    lines = [
        f"wrote {output}: {len(session.pages)} pages, {requests} requests to {session.host},"
        f" {session.values} values carried over from earlier answers",
        f"left out: {len(kept) - requests} static files and preflights",
    ]
    if others:
        sites = ", ".join(f"{site} ({count})" for site, count in others.most_common(5))
        lines.append(f"left out: {others.total()} requests to other sites: {sites}")
    for login in session.secrets.logins:
        lines.append(f"secret taken out: the login {login} uses each user's own account (ACCOUNTS)")
    for name, place in session.secrets.variables.items():
        lines.append(f"secret taken out: {place}; set {name} before a run")
    if session.made_up_files:
        lines.append(
            f"{session.made_up_files} uploads have made-up bytes: the recording lacks theirs"
        )
    for guess in sorted(set(session.guesses)):
        lines.append(f"check this one: the {guess} is used, whose answer the recording lacks")
    for identifier in sorted(set(session.unexplained))[:10]:
        lines.append(f"kept as recorded, no earlier answer has it: {identifier}")
    lines.append(f"run it: make run-distributed LOCUSTFILE={output} HOST={session.host}")
    return "\n".join(lines)
