"""`loadgen mix LOG…`: reads access logs, writes a scenario and an experiment, and says so."""

from argparse import Namespace
from datetime import UTC
from pathlib import Path

from loadgen.access_logs import writer
from loadgen.access_logs.reading import LogReading
from loadgen.access_logs.traffic import Traffic
from loadgen.access_logs.zones import zone_of
from loadgen.shared.errors import UsageError
from loadgen.shared.files import write_texts
from loadgen.shared.made_source import module_name
from loadgen.shared.origin import origin
from loadgen.shared.text import clock, plain


def mix(options: Namespace) -> int:
    """Carry out `loadgen mix`; raises UsageError when a log can't be used."""
    if options.factor <= 0:
        raise UsageError(f"--factor is {options.factor:g}; it must be above 0")
    output, experiment = _outputs(options)
    host = _host(options.host)
    zone = UTC if options.time_zone is None else zone_of(options.time_zone)
    reading, traffic = LogReading(zone), Traffic()
    for hit in reading.hits(options.logs):
        traffic.add(hit)
    traffic.finish()
    if not traffic.replayed:
        raise UsageError(
            f"{options.logs[0]} has nothing to replay: none of its {traffic.hits:,} requests is"
            f" a GET or HEAD request that was answered."
            f" Left out: {'; '.join(writer.left_out(traffic)[:3])}"
        )
    lengths = writer.sample(traffic.lengths)
    made = writer.profile(traffic, options.span, options.factor, sum(lengths) / len(lengths))
    name = ", ".join(path.name for path in options.logs[:3])
    texts = {
        output: writer.locustfile(traffic, output, host),
        output.with_suffix(".csv"): writer.rows(made),
        experiment: writer.experiment(output, made, host, name),
    }
    write_texts(texts)
    print(plain(_report(options, reading, traffic, made, list(texts))))
    return 0


def _outputs(options: Namespace) -> tuple[Path, Path]:
    """Return where locustfile and experiment go; what is there already is kept."""
    name = module_name(options.logs[0].name.partition(".")[0])
    output = options.output or Path("locustfiles") / f"{name}_mix.py"
    experiment = output.with_suffix(".yml")
    if not options.output:
        experiment = Path("experiments") / experiment.name
    there = [path for path in (output, output.with_suffix(".csv"), experiment) if path.exists()]
    if there and not options.output:
        raise UsageError(f"{there[0]} exists already: name another file with --output")
    if output.suffix != ".py":
        raise UsageError(
            f"--output {output} is not a Python file: give a file name that ends in .py"
        )
    return output, experiment


def _host(given: str | None) -> str | None:
    if not given:
        return None
    try:
        return origin(given)
    except ValueError as fault:
        raise UsageError(
            f"--host {given} is not a base URL, such as https://shop.example"
        ) from fault


def _report(
    options: Namespace,
    reading: LogReading,
    traffic: Traffic,
    made: writer.Profile,
    paths: list[Path],
) -> str:
    lengths, pauses = writer.sample(traffic.lengths), writer.sample(traffic.pauses)
    mean = sum(lengths) / len(lengths)
    routes = sorted(traffic.routes.items(), key=lambda one: -one[1].seen)
    lines = [
        f"read {reading.lines:,} lines: {traffic.replayed:,} requests on {len(routes)} routes,"
        f" {traffic.lengths.total():,} visits of {mean:.1f} requests, pauses of"
        f" {pauses[len(pauses) // 2]:g} s (median) between requests, from {clock(traffic.first)} on"
        f" over {traffic.last - traffic.first:,.0f} s",
        *(
            f"  {examples.seen / traffic.replayed:6.1%}  {method} {name}"
            for (method, name), examples in routes[:10]
        ),
        *(f"left out: {line}" for line in writer.left_out(traffic)),
    ]
    if reading.broken:
        lines.append(
            f"left out: {reading.broken:,} lines that could not be read; the first of them"
            f" is {reading.first_broken}"
        )
    lines += [f"check this one: {sentence}" for sentence in reading.cut]
    lines += _zones(options, reading)
    if traffic.secrets:
        names = ", ".join(sorted(traffic.secrets))
        lines.append(f"removed from the URLs, because they may be secret: {names}")
    lines += [
        "an access log has no request bodies, logins or headers, and it identifies "
        "visitors only by IP address and user agent; check the paths in the locustfile "
        "for private data before you share it",
        f"wrote {', '.join(map(str, paths))}: {made.visits:,.0f} visits,"
        f" {made.visits * mean:,.0f} requests in {made.seconds:,.0f} s (factor {options.factor:g})",
        f"run it: loadgen run --experiment {paths[-1]}"
        + ("" if options.host else " --host https://your-test-system.example"),
    ]
    return "\n".join(lines)


def _zones(options: Namespace, reading: LogReading) -> list[str]:
    """Say how times without a zone were read."""
    if not reading.zoneless:
        return (
            [f"--time-zone {options.time_zone} isn't used: the times in the log have a zone"]
            if options.time_zone
            else []
        )
    named = ", ".join(path.name for path in reading.zoneless[:3])
    more = " and others" if len(reading.zoneless) > 3 else ""
    if options.time_zone:
        return [f"the times in {named}{more} have no zone and were read as {options.time_zone}"]
    return [
        f"check this one: the times in {named}{more} have no zone and were taken as UTC, so a"
        " change to or from summer time shows as an hour that is missing or doubled; give the"
        " server's zone, such as --time-zone Europe/Berlin"
    ]
