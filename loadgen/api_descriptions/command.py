"""`loadgen scaffold FILE`: reads an API's description, writes a locustfile, and says what to do."""

from argparse import Namespace
from pathlib import Path

from loadgen.api_descriptions import writer
from loadgen.api_descriptions.description import Description, read
from loadgen.api_descriptions.operations import Operation, operations
from loadgen.shared.errors import UsageError
from loadgen.shared.files import write_texts
from loadgen.shared.made_source import module_name
from loadgen.shared.origin import origin
from loadgen.shared.text import plain

MOST_NAMED = 10


def scaffold(options: Namespace) -> int:
    """Carry out `loadgen scaffold`; raises UsageError when the description can't be used."""
    output = options.output or Path("locustfiles") / f"{module_name(options.description.stem)}.py"
    if output.suffix != ".py":
        raise UsageError(
            f"--output {output} is not a Python file: give a file name that ends in .py"
        )
    if output.exists() and not options.output:
        raise UsageError(f"{output} exists already: name another file with --output")
    description = read(options.description)
    found = operations(description)
    if not found:
        raise UsageError(_nothing(description))
    named, base = writer.server(description)
    host = _given(options.host) if options.host else named
    texts = {
        output: writer.locustfile(description, found, output, host, base),
        output.with_suffix(".json"): writer.answers(description, found),
    }
    write_texts(texts)
    print(plain(_report(output, description, found, host)))
    return 0


def _nothing(description: Description) -> str:
    said = f"{description.path} describes no operations"
    if not description.unread:
        return f"{said}, so there is nothing to send: give a description with operations"
    named = ", ".join(sorted(description.unread)[:MOST_NAMED])
    return (
        f"{said}, because its paths are in other files ({named}): bundle it into one file first,"
        " for example with redocly bundle"
    )


def _given(host: str) -> str:
    try:
        return origin(host)
    except ValueError as fault:
        raise UsageError(
            f"--host {host} is not a base URL, such as https://shop.example"
        ) from fault


def _report(
    output: Path, description: Description, found: list[Operation], host: str | None
) -> str:
    writes = sum(one.writes for one in found)
    lines = [
        f"wrote {output} and {output.with_suffix('.json').name}: {len(found)} operations, {writes}"
        " of them change the system (leave them out by --exclude-tags writes)",
    ]
    variables = {name: form for one in found for name, form in one.variables.items()}
    lines += [f"secret: set {name} ({variables[name]}) before a run" for name in sorted(variables)]
    unread = sorted(description.unread)
    lines += [
        f"this reference can't be resolved, so what it refers to is neither sent nor checked: {one}"
        for one in unread[:MOST_NAMED]
    ]
    if len(unread) > MOST_NAMED:
        lines.append(f"{len(unread) - MOST_NAMED} more references can't be resolved")
    if description.own_servers:
        named = ", ".join(description.own_servers[:MOST_NAMED])
        lines.append(f"check these operations, whose own server is not used: {named}")
    lines += [f"check this one: {note}" for note in description.notes[:MOST_NAMED]]
    if len(description.notes) > MOST_NAMED:
        lines.append(f"check {len(description.notes) - MOST_NAMED} more of these")
    lines += [
        "check the ids in EXAMPLES: they are taken from the description or invented; "
        "replace them with ids of your system",
        f"try each task once: loadgen probe --locustfile {output} --host {host or 'https://…'}",
    ]
    return "\n".join(lines)
