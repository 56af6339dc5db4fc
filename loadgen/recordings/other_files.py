"""Says what a file is that was given as a recording and is none, and what to do with it."""

import re

_AGAIN = "save the session again, as HAR"
_JSON = {
    "a Postman collection, which has requests and no answers: record the session in a browser, or"
    " convert the collection to OpenAPI for loadgen scaffold": ("info", "item"),
    "an export of Insomnia: export it as HAR": ("_type", "__export_format"),
    "an API description: give it to loadgen scaffold": ("openapi",),
    "an API description of Swagger, which loadgen scaffold reads once it is converted to OpenAPI": (
        "swagger",
    ),
}
_TEXTS = (
    (r"\s*<", f"an HTML or XML file: {_AGAIN}"),
    (
        r"\d+:\d+:",
        "a flow file of mitmproxy: convert it with"
        " mitmdump --no-server --rfile FILE --set hardump=session.har",
    ),
    (r"\s*curl\s", f"a curl command: {_AGAIN}"),
    (r"(openapi|swagger):", "an API description: give it to loadgen scaffold"),
    (r"\S+ \S+ \S+ \[\d+/\w+/\d+:", "an access log: give it to loadgen mix"),
    (r"(GET|POST|PUT|DELETE) \S+ HTTP/", f"an HTTP request: {_AGAIN}"),
)
_BYTES = (
    (b"\xd4\xc3\xb2\xa1", "a capture of network packets, which has no readable requests"),
    (b"\x0a\x0d\x0d\x0a", "a capture of network packets, which has no readable requests"),
    (b"bplist", "a property list"),
    (b"SQLite format 3", "a database"),
)


def kind_of_document(document: object) -> str:
    """Return what a JSON document that is no HAR is, with the next step; nothing if unknown."""
    if isinstance(document, list):
        first = document[0] if document else None
        if isinstance(first, dict) and "protocolVersion" in first:
            return "a session of Charles: export it from Charles as HTTP Archive (HAR)"
        if isinstance(first, dict) and "log" in first:
            return "a list of HAR files: give one HAR file"
        return ""
    if not isinstance(document, dict):
        return ""
    return next((kind for kind, keys in _JSON.items() if all(key in document for key in keys)), "")


def kind_of_bytes(content: bytes) -> str:
    """Return what a file that is no JSON is, with the next step; nothing if unknown."""
    for magic, kind in _BYTES:
        if content.startswith(magic):
            return f"{kind}: {_AGAIN}"
    text = content[:1000].decode("utf-8", "replace").removeprefix("\ufeff")
    return next((kind for pattern, kind in _TEXTS if re.match(pattern, text)), "")
