"""Contract: contents with ETag, Range and If-None-Match."""

import hashlib

import pytest

from tests.unit.simulators.dspace.visitor import Visitor


def test_content_has_its_md5_as_etag_and_is_an_attachment(visitor: Visitor) -> None:
    bitstream = visitor.a_bitstream()
    response = visitor.get(f"/core/bitstreams/{bitstream['uuid']}/content")
    md5 = hashlib.md5(response.content, usedforsecurity=False).hexdigest()
    assert response.headers["ETag"] == f'"{md5}"' == f'"{bitstream["checkSum"]["value"]}"'
    assert len(response.content) == bitstream["sizeBytes"]
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["Content-Disposition"].startswith("attachment;")


def test_head_gives_the_headers_alone(visitor: Visitor) -> None:
    bitstream = visitor.a_bitstream()
    response = visitor.send("HEAD", f"/core/bitstreams/{bitstream['uuid']}/content")
    assert response.headers["Content-Length"] == str(bitstream["sizeBytes"])
    assert response.content == b""


@pytest.mark.parametrize("asked", ["bytes=0-99", "bytes=100-", "bytes=-100", "bytes=5-999999999"])
def test_range_gives_that_part(visitor: Visitor, asked: str) -> None:
    path = f"/core/bitstreams/{visitor.a_bitstream()['uuid']}/content"
    whole = visitor.get(path).content
    first, last = asked.removeprefix("bytes=").split("-")
    start = int(first) if first else len(whole) - int(last)
    end = min(int(last), len(whole) - 1) if first and last else len(whole) - 1
    response = visitor.get(path, headers={"Range": asked})
    assert response.status_code == 206
    assert response.content == whole[start : end + 1]
    assert response.headers["Content-Range"] == f"bytes {start}-{end}/{len(whole)}"


def test_range_behind_the_end_is_416(visitor: Visitor) -> None:
    bitstream = visitor.a_bitstream()
    path = f"/core/bitstreams/{bitstream['uuid']}/content"
    response = visitor.get(path, headers={"Range": "bytes=999999999-"})
    assert response.status_code == 416
    assert response.headers["Content-Range"] == f"bytes */{bitstream['sizeBytes']}"


def test_if_none_match_is_304_without_a_body(visitor: Visitor) -> None:
    path = f"/core/bitstreams/{visitor.a_bitstream()['uuid']}/content"
    etag = visitor.get(path).headers["ETag"]
    response = visitor.get(path, headers={"If-None-Match": etag})
    assert (response.status_code, response.content) == (304, b"")
    assert visitor.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
