"""Takes a recorded form's multipart body apart; browsers often leave the files' bytes out of it."""

import re
from collections.abc import Mapping, Sequence
from email.message import Message
from email.parser import HeaderParser

LARGEST_KEPT_CHARACTERS = 10_000
LARGEST_KEPT_BYTES = 100_000
DEFAULT_BYTES = 10_000
Part = tuple[str, str, str, str | bytes | int]


def parts(
    content_type: str, body: str | bytes | None, parameters: Sequence[Mapping[str, str]]
) -> list[Part]:
    """Return (field, file name, type, content) of each part; content is a size when unknown.

    A field that is no file has an empty file name. Content is kept to the byte, line ends too.
    """
    if body:
        text = body if isinstance(body, str) else body.decode("latin-1")
        made = [_part(piece, isinstance(body, bytes)) for piece in _pieces(content_type, text)]
        return [part for part in made if part]
    return [
        (
            one["name"],
            re.split(r"[/\\]", one["fileName"])[-1],
            one["contentType"] or ("application/octet-stream" if one["fileName"] else ""),
            one["value"] or (DEFAULT_BYTES if one["fileName"] else ""),
        )
        for one in parameters
    ]


def _pieces(content_type: str, body: str) -> list[str]:
    """Return what is between a body's boundaries, each of which begins a line of its own."""
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_boundary()
    if boundary is None:
        first = re.match(r"\s*--([^\r\n]+)", body)
        boundary = first.group(1).strip() if first else ""
    mark = re.compile(rf"(?:^|\r?\n)--{re.escape(boundary)}(--)?[ \t]*(?:\r?\n|$)")
    found = list(mark.finditer(f"\n{body}"))
    ends = [*(one.start() for one in found[1:]), len(body) + 1]
    return [
        f"\n{body}"[one.end() : end]
        for one, end in zip(found, ends, strict=True)
        if not one.group(1)
    ]


def _part(piece: str, is_bytes: bool) -> Part | None:
    split = re.search(r"\r?\n\r?\n", piece)
    head, content = (piece[: split.start()], piece[split.end() :]) if split else (piece.strip(), "")
    headers = HeaderParser().parsestr(_decoded(head) if is_bytes else head)
    name = headers.get_param("name", header="content-disposition")
    if not isinstance(name, str):
        return None
    file_name = headers.get_filename() or ""
    return name, file_name, str(headers["content-type"] or ""), _kept(content, is_bytes, file_name)


def _kept(content: str, is_bytes: bool, file_name: str) -> str | bytes | int:
    """Return a part's content; of a file whose bytes the recording lacks or has bent, the size."""
    if is_bytes:
        sent = content.encode("latin-1")
        try:
            return sent.decode()
        except UnicodeDecodeError:
            return sent if len(sent) <= LARGEST_KEPT_BYTES else len(sent)
    if file_name and (
        not content or not _is_text(content) or len(content) > LARGEST_KEPT_CHARACTERS
    ):
        return len(content.encode(errors="surrogatepass")) or DEFAULT_BYTES
    return content


def _decoded(head: str) -> str:
    return head.encode("latin-1").decode(errors="replace")


def _is_text(content: str) -> bool:
    return all(one.isprintable() or one in "\r\n\t" for one in content)
