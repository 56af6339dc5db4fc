"""Takes a recorded multipart body apart; browsers often leave the files' bytes out of it."""

import re
from collections.abc import Mapping, Sequence

LARGEST_KEPT_CHARACTERS = 10_000
DEFAULT_BYTES = 10_000
_DISPOSITION = re.compile(r'(\w+)="([^"]*)"')
Part = tuple[str, str, str, str | int]


def parts(
    content_type: str, body: str | None, parameters: Sequence[Mapping[str, str]]
) -> list[Part]:
    """Return (field, file name, type, content) of each part; content is a size when unknown.

    A field that is no file has an empty file name.
    """
    boundary = re.search(r'boundary="?([^";]+)', content_type)
    if body and boundary:
        pieces = body.split(f"--{boundary.group(1)}")[1:-1]
        return [made for made in map(_part, pieces) if made]
    return [
        (
            one["name"],
            one.get("fileName", ""),
            one.get("contentType", "application/octet-stream"),
            DEFAULT_BYTES if one.get("fileName") else one.get("value", ""),
        )
        for one in parameters
    ]


def _part(piece: str) -> Part | None:
    head, _, content = piece.replace("\r\n", "\n").lstrip("\n").partition("\n\n")
    content = content.removesuffix("\n")
    names = dict(_DISPOSITION.findall(head))
    if "name" not in names:
        return None
    kind = re.search(r"content-type:\s*(\S+)", head, re.IGNORECASE)
    file_name = names.get("filename", "")
    kept: str | int = content
    if file_name and (
        not content or not content.isprintable() or len(content) > LARGEST_KEPT_CHARACTERS
    ):
        kept = len(content.encode()) or DEFAULT_BYTES
    return names["name"], file_name, kind.group(1) if kind else "", kept
