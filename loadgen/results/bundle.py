"""One archive of a run to hand on (`loadgen export`), and back into an archive (`loadgen import`).

A ZIP file with the run's directory, `ro-crate-metadata.json` (RO-Crate 1.1, which catalogues of
research data read) and `CITATION.cff`. Secrets are left out: files that are named like keys or
passwords, and in every text the passwords of URLs and the values of the variables that the
specification names as secrets.
"""

import json
import lzma
import os
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from loadgen.results.summary import Summary, load_summary
from loadgen.shared.errors import UsageError
from loadgen.shared.files import DOCUMENT_BYTES_MAX, is_of_a_repository, open_like, open_regular
from loadgen.shared.run_ids import SUMMARY_FILE, run_directory
from loadgen.shared.text import DOCUMENT_VALUES_MAX, plain_line, require_few_values

METADATA, CITATION = "ro-crate-metadata.json", "CITATION.cff"
BYTES_MAX, FILES_MAX = 2 * 1024**3, 20_000
PIECE_BYTES, CREDENTIALS_BYTES_MAX = 1 << 20, 4096
DAMAGED = (
    ValueError,
    KeyError,
    EOFError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)
"""What zipfile raises of an archive that it can't read; RuntimeError of an encrypted one."""
_SECRET_FILE = re.compile(
    r"(\.key|\.pem|\.p12|\.env)$|^\.env|secret|passw|credential|^accounts.*\.csv$|^id_(rsa|ed25519)",
    re.IGNORECASE,
)
_CREDENTIALS = re.compile(rb"//[^/\s:@\"']+:[^/\s@\"']+@")
_TEXTS = {".json", ".html", ".csv", ".xml", ".log", ".prom", ".py", ".yml", ".yaml", ".txt", ".md"}


def export_run(run: Path, output: Path, environment: Mapping[str, str]) -> list[str]:
    """Write a run's archive; return the files that were left out. UsageError when it can't be."""
    summary = load_summary(run)
    secrets = _secrets(summary, environment)
    left_out, contents = [], {}
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run).as_posix()
        if path.is_symlink() or not path.is_file():
            continue
        if any(_SECRET_FILE.search(part) for part in PurePosixPath(name).parts):
            left_out.append(name)
        else:
            contents[name] = path
    try:
        with (
            open_like(output, contents.values()) as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            for name, path in contents.items():
                _pack(archive, name, path, secrets)
            archive.writestr(METADATA, json.dumps(_crate(summary, contents), indent=2))
            archive.writestr(CITATION, _citation(summary))
    except OSError as error:
        raise UsageError(
            f"{output} can't be written ({error.strerror}): give another path with --output"
        ) from error
    return left_out


def _secrets(summary: Summary, environment: Mapping[str, str]) -> list[bytes]:
    named = summary.specification.get("secrets")
    names = named if isinstance(named, list) else []
    return [environment[str(name)].encode() for name in names if environment.get(str(name))]


def _pack(archive: zipfile.ZipFile, name: str, path: Path, secrets: Sequence[bytes]) -> None:
    """Add a file a piece at a time: a host's may have gigabytes."""
    entry = zipfile.ZipInfo.from_file(path, name, strict_timestamps=False)
    entry.compress_type = zipfile.ZIP_DEFLATED
    with open_regular(path) as file, archive.open(entry, "w", force_zip64=True) as packed:
        for piece in _cleaned(file, secrets, is_text=path.suffix in _TEXTS):
            packed.write(piece)


def _cleaned(file: BinaryIO, secrets: Sequence[bytes], *, is_text: bool) -> Iterator[bytes]:
    """Yield a file's content without secrets; the end of each piece is looked at with the next."""
    overlap = max([CREDENTIALS_BYTES_MAX if is_text else 1, *map(len, secrets)])
    rest = b""
    while piece := file.read(PIECE_BYTES):
        rest += piece
        for secret in secrets:
            rest = rest.replace(secret, b"***")
        if is_text:
            rest = _CREDENTIALS.sub(b"//***@", rest)
        yield rest[:-overlap]
        rest = rest[-overlap:]
    yield rest


def _crate(summary: Summary, names: Iterable[str]) -> dict[str, object]:
    """Return the RO-Crate: a root data set, its files, and the run as what made them."""
    began = summary.started_at or summary.ended_at
    files = [{"@id": name, "@type": "File", "name": name} for name in names]
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Load test {summary.run_id}",
        "description": summary.description or f"A load test; verdict {summary.verdict}",
        "datePublished": f"{began:%Y-%m-%d}" if began else "",
        "hasPart": [{"@id": name["@id"]} for name in files],
        "mentions": {"@id": "#run"},
    }
    descriptor = {
        "@id": METADATA,
        "@type": "CreativeWork",
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        "about": {"@id": "./"},
    }
    run = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": summary.run_id,
        "startTime": summary.started_at.isoformat() if summary.started_at else "",
        "endTime": summary.ended_at.isoformat() if summary.ended_at else "",
        "instrument": {"@id": "#software"},
        "result": {"@id": SUMMARY_FILE},
        "description": "; ".join(machine.sentence for machine in summary.machines),
    }
    software = {
        "@id": "#software",
        "@type": "SoftwareApplication",
        "name": "loadgen-fleet",
        "version": summary.release_sha256[:12] or summary.origin.commit[:12],
        "softwareRequirements": ", ".join(f"{k} {v}" for k, v in summary.versions.items()),
    }
    graph = [descriptor, root, run, software, *files]
    return {"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": graph}


def _citation(summary: Summary) -> str:
    began = summary.started_at or summary.ended_at
    lines = {
        "cff-version": "1.2.0",
        "message": "If you use these measurements, please cite them.",
        "type": "dataset",
        "title": f"Load test {summary.run_id}",
        "abstract": summary.description or f"Verdict {summary.verdict}",
        "date-released": f"{began:%Y-%m-%d}" if began else "",
        "commit": summary.origin.commit,
    }
    head = "".join(f"{key}: {json.dumps(value)}\n" for key, value in lines.items() if value)
    return f'{head}authors:\n  - name: "The people who ran it"\n'


def import_run(file: Path, results: Path) -> Path:
    """Unpack an exported run into an archive; return its directory.

    Another person made it, so it is whole and within the bounds, or nothing of it is kept.
    UsageError: no such archive, a run of that id is there, or a name leads out of it.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            entries = _checked(archive, file)
            directory = _place_of(archive, file, results)
            results.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".importing-", dir=results) as fresh:
                made = Path(fresh) / directory.name
                for entry in entries:
                    _unpack(archive, entry, made / entry.filename)
                made.rename(directory)
    except OSError as error:
        raise UsageError(
            f"{file} can't be imported into {results}: {error.strerror or error}; give the path "
            "of an archive that loadgen export wrote"
        ) from error
    except DAMAGED as error:
        raise UsageError(
            f"{file} is not an exported run ({plain_line(str(error))[:300]}): give a file "
            "that loadgen export wrote"
        ) from error
    return directory


def _place_of(archive: zipfile.ZipFile, file: Path, results: Path) -> Path:
    if archive.getinfo(SUMMARY_FILE).file_size > DOCUMENT_BYTES_MAX:
        raise UsageError(
            f"{file} has a {SUMMARY_FILE} of more than {DOCUMENT_BYTES_MAX >> 20} MiB, "
            f"so it is not an exported run"
        )
    run_id = Summary.model_validate_json(
        require_few_values(archive.read(SUMMARY_FILE), DOCUMENT_VALUES_MAX)
    ).run_id
    try:
        directory = run_directory(results, run_id)
    except ValueError as error:
        raise UsageError(
            f"{file} names its run {plain_line(run_id)[:80]!r}, which is not a valid run id"
        ) from error
    if directory.exists():
        raise UsageError(f"{directory} exists already: remove it before you import the run again")
    return directory


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as content, place.open("xb") as made:
        shutil.copyfileobj(content, made)


def _checked(archive: zipfile.ZipFile, file: Path) -> list[zipfile.ZipInfo]:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > FILES_MAX or sum(entry.file_size for entry in entries) > BYTES_MAX:
        raise UsageError(f"{file} contains more than {FILES_MAX:,} files, or more than 2 GiB")
    for entry in entries:
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        parts = path.parts
        # PurePosixPath keeps two slashes at the beginning apart from one.
        if not parts or path.is_absolute() or ".." in parts or ":" in parts[0]:
            raise UsageError(
                f"{file} contains {entry.filename!r}, whose path leads outside the run's directory"
            )
        if not entry.filename.isprintable():
            raise UsageError(
                f"{file} contains {entry.filename!r}, whose name has unprintable characters"
            )
        if is_of_a_repository(parts):
            raise UsageError(
                f"{file} contains {entry.filename!r}, a part of a version control repository, "
                f"which a run never contains and whose configuration could start commands"
            )
    return entries


def default_output(run: Path) -> Path:
    """Return where an export goes when nothing is said: beside the working directory's files."""
    return Path(os.curdir) / f"{run.name}.zip"
