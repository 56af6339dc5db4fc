"""A secret in an address comes from an answer that had it, else from the environment."""

import json
from pathlib import Path
from typing import Any

import pytest

from loadgen.scenario.extractors import Address, Json, Link, Seen, Text
from tests.unit.recordings.hars import FORM, JSON, TITLE, entry, made, sends

HEX = "3f9a0c1b2d4e5f60718293a4b5c6d7e8f9012345"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLW9m"
MIXED = "Xk29dLq0Zp8vTn3RsWm4Yb7H"
UUID = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
ADDRESSES = [
    (f"/reset/{HEX}/confirm", HEX, "/reset/{hash}/confirm"),
    (f"/activate/MQ/set-{HEX[:32]}/", f"set-{HEX[:32]}", "/activate/{id}/{token}/"),
    (f"/reset/MTI/c5d2s1-{HEX[:32]}/", f"c5d2s1-{HEX[:32]}", "/reset/{id}/{token}/"),
    (f"/invite/{JWT}", JWT, "/invite/{token}"),
    (f"/v/{JWT}/open", JWT, "/v/{token}/open"),
    (f"/magic-link/{MIXED}", MIXED, "/magic-link/{token}"),
    (f"/verify-email/{UUID}", UUID, "/verify-email/{uuid}"),
    (f"/u/{MIXED}/unsubscribe", MIXED, "/u/{token}/unsubscribe"),
    (f"/feed/{MIXED}{MIXED}.ics", MIXED * 2, "/feed/{token}.ics"),
    (f"/hooks/T02AB3C4D/B05EF6G7H/{MIXED}", MIXED, "/hooks/{token}/{token}/{token}"),
    ("/shop;jsessionid=0A1B2C3D4E5F/cart", "0A1B2C3D4E5F", "/shop;jsessionid={token}/cart"),
    ("/join/aB3%2BdE9%3D%3D1x", "aB3%2BdE9%3D%3D1x", "/join/{token}"),
    (f"/file?id=7&sig={MIXED}&se=2026", MIXED, "/file"),
    (f"/file?X-Amz-Date=2026&X-Amz-Signature={HEX}", HEX, "/file"),
    (f"/login?k={MIXED}", MIXED, "/login"),
    (f"/confirm?hash={HEX}", HEX, "/confirm"),
    (f"/go?next=%2Freset%2F{HEX}%3Fa%3D1&b=2", HEX, "/go"),
    (f"/open?anything={MIXED}{MIXED}", MIXED * 2, "/open"),
]  # fmt: skip
PUBLIC = [
    "/repo/commit/" + HEX,
    "/items/" + UUID,
    "/orders/64b7f3c2a1d4e5f6a7b8c9d0/confirm",
    "/track/4uLU6hMCjMI75M1A2tKUQC",
    "/blog/how-to-migrate-from-python-2-to-3-in-2026-with-care",
    "/wiki/%E4%BD%A0%E5%A5%BD%E4%BD%A0%E5%A5%BD",
    "/reset/step-2",
    "/search?q=iphone-15-pro-max&v=" + HEX,
]


@pytest.mark.parametrize(
    ("address", "secret", "name"), ADDRESSES, ids=[one[2] for one in ADDRESSES]
)
def test_a_secret_in_an_address_is_asked_for_in_the_environment(
    address: str, secret: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, said = made(
        tmp_path, capsys, [entry(0, "GET", "/", content=TITLE), entry(1, "GET", address)]
    )
    sent = sends(source)[1]
    assert secret not in source + said
    assert sent["name"] == name
    assert "os.environ['RECORDED_" in sent["path"]
    assert "secret removed: " in said


@pytest.mark.parametrize("address", PUBLIC)
def test_an_identifier_in_an_address_stays(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, said = made(
        tmp_path, capsys, [entry(0, "GET", "/", content=TITLE), entry(1, "GET", address)]
    )
    assert sends(source)[1]["path"] == address
    assert "RECORDED_" not in said


LINK = f"/reset/MQ/{MIXED}/confirm"
WHOLE = f"https://site.example{LINK}"


@pytest.mark.parametrize(
    ("answer", "extractor"),
    [
        ({"content": {"text": f'<a href="{LINK}">go</a>'}}, Link),
        ({"content": {"text": f'<a href="{WHOLE}">go</a>'}}, Address),
        ({"content": {"text": f"<script>var link = '{LINK}'</script>"}}, Text),
        ({"content": {"text": json.dumps({"token": MIXED})}, "mime": "application/json"}, Json),
        ({"content": {"text": json.dumps({"link": WHOLE})}, "mime": "application/json"}, Address),
        ({"content": {"text": f'{{"mail": "Go to {WHOLE} now"}}'.replace("/", "\\/")},
          "mime": "application/json"}, Text),
        ({"status": 302, "answer": {"location": f"https://mail.example/?next={LINK}"}}, Text),
    ],
    ids=["link", "whole-link", "script", "json", "json-link", "json-mail", "redirect"],
)  # fmt: skip
def test_a_secret_that_an_answer_had_is_taken_from_it(
    answer: dict[str, Any],
    extractor: type,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    entries = [
        entry(0, "POST", "/ask", headers=FORM, body="a=1", **answer),
        entry(1, "GET", LINK),
        entry(2, "POST", "/seen", headers=JSON, body=json.dumps({"at": WHOLE})),
    ]
    source, said = made(tmp_path, capsys, entries)
    first, second, _ = sends(source)
    assert MIXED not in source + said
    assert "RECORDED_" not in source
    assert "self.v[" in second["path"]
    assert str(first["save"]).count(extractor.__name__) >= 1


def test_a_text_is_found_in_another_sessions_answer() -> None:
    seen = Seen({}, 'before "link": "/reset/NDI/otherToken9/confirm"')
    assert Text(r'"/reset/[\w.~%=+-]+/([\w.~%=+-]+)').find(seen) == "otherToken9"
    assert (
        Address(Json(("link",))).find(Seen({}, '{"link": "https://a.example/x?y=1"}')) == "/x?y=1"
    )


def test_what_was_typed_before_it_was_in_a_path_is_taken_out_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [
        entry(0, "GET", "/", content=TITLE),
        entry(1, "POST", "/log", headers=JSON, body=json.dumps({"to": LINK, "n": 1})),
        entry(2, "GET", LINK, headers={"x-from": LINK}),
    ]
    source, _ = made(tmp_path, capsys, entries)
    assert MIXED not in source
    assert source.count("RECORDED_") >= 3
