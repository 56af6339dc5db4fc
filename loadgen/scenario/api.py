"""Operations of a described API, with examples to send and answers to check.

The base of locustfiles that `loadgen scaffold` makes. An answer is right when its status is one
that the description has, 2xx or 3xx, and its JSON fits the schema of that status.
"""

import base64
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from referencing.exceptions import Unresolvable

from loadgen.scenario.http import FastUser
from loadgen.shared.errors import UsageError


class Answers:
    """An API's answers: {"components": {...}, "answers": {operation: {status: schema}}}.

    A status is "200", "2XX" or "DEFAULT"; a schema of null allows anything.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._components = {"schemas": document.get("components", {})}
        self._answers: Mapping[str, Mapping[str, Any]] = document.get("answers", {})
        self._validators: dict[tuple[str, str], Draft202012Validator] = {}

    @classmethod
    def read(cls, path: Path) -> "Answers":
        """Read what `loadgen scaffold` wrote beside a locustfile. Raises UsageError."""
        try:
            return cls(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as fault:
            raise UsageError(
                f"the file of response schemas {path} can't be read ({fault}): put it beside "
                f"the locustfile"
            ) from fault

    def fault(self, operation: str, status: int, text: str) -> str | None:
        """Return why an answer is wrong, None when it is right.

        The text doesn't change from one answer to the next: it is a row of Locust's failures.
        """
        answers = self._answers.get(operation, {"2XX": None})
        code = next((one for one in (str(status), f"{status // 100}XX") if one in answers), None)
        if code is None and "DEFAULT" in answers and 200 <= status < 400:
            code = "DEFAULT"
        if code is None:
            return f"status {status} instead of {' or '.join(sorted(answers))}"
        if answers[code] is None:
            return None
        try:
            body = json.loads(text)
        except ValueError:
            return "a body that is not JSON"
        try:
            wrong = best_match(self._validator(operation, code, answers[code]).iter_errors(body))
        except (Unresolvable, RecursionError):
            # The description is wrong here, and not the answer.
            return None
        return None if wrong is None else _sentence(wrong)

    def _validator(self, operation: str, code: str, schema: Any) -> Draft202012Validator:  # noqa: ANN401 - an object or a boolean
        key = (operation, code)
        if key not in self._validators:
            whole = {"components": self._components, "allOf": [schema]}
            self._validators[key] = Draft202012Validator(whole)
        return self._validators[key]


def _sentence(wrong: ValidationError) -> str:
    """Return where in the body it is wrong, without the answer's own values."""
    place = "".join("[]" if isinstance(one, int) else f".{one}" for one in wrong.absolute_path)
    rule = str(wrong.validator)
    wanted = f" {wrong.validator_value}" if rule in {"type", "enum", "const", "required"} else ""
    return f"the body{place[:80]} breaks the schema's {rule}{wanted[:80]}"


class ApiUser(FastUser):
    """A user of an API. `examples` has what each operation sends; `answers` what is right."""

    abstract = True
    examples: Mapping[str, Mapping[str, Any]] = {}
    answers = Answers({})

    def call(self, method: str, path: str, operation: str) -> None:
        """Send one operation's example and check the answer; its row is named by the path.

        An example has `path`, `query`, `headers` and `cookies` (names to values), `secrets` (where
        it goes, its name there, what comes before it, its environment variable), and one
        of `json`, `form` (whose `files` are the names of fields that are files) or `data`, with
        its media `type`.
        """
        example = self.examples.get(operation, {})
        headers = {"Accept": "application/json, */*;q=0.5", **example.get("headers", {})}
        query, cookies = dict(example.get("query", {})), dict(example.get("cookies", {}))
        path_values = dict(example.get("path", {}))
        places = {"path": path_values, "headers": headers, "query": query, "cookies": cookies}
        for place, name, before, variable in example.get("secrets", ()):
            places[place][name] = _secret(before, variable)
        if cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        with self.client.request(
            method,
            _target(path, path_values, query),
            name=path,
            headers=headers,
            data=_body(example, headers),
            allow_redirects=False,
            catch_response=True,
        ) as response:
            if response.status_code:
                fault = self.answers.fault(operation, response.status_code, response.text or "")
                if fault:
                    response.failure(fault)
                else:
                    response.success()


def _secret(before: str, variable: str) -> str:
    value = os.environ[variable]
    if before == "Basic ":
        value = base64.b64encode(value.encode()).decode()
    return before + value


def _target(path: str, values: Mapping[str, Any], query: Mapping[str, Any]) -> str:
    for name, value in values.items():
        # What separates the values of a list is sent as it is.
        path = path.replace(f"{{{name}}}", quote(_text(value), safe=",;="))
    given = {name: value for name, value in query.items() if value is not None}
    if not given:
        return path
    return f"{path}?{urlencode(_texts(given), doseq=True, safe=',', quote_via=quote)}"


def _texts(given: Mapping[str, Any]) -> dict[str, str | list[str]]:
    return {
        name: [_text(one) for one in value] if isinstance(value, list | tuple) else _text(value)
        for name, value in given.items()
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _body(example: Mapping[str, Any], headers: dict[str, str]) -> bytes | None:
    """Return an example's body, and name its type in the headers."""
    kind = str(example.get("type", "application/json"))
    if "json" in example:
        body = json.dumps(example["json"]).encode()
    elif "form" in example and kind.startswith("multipart/"):
        body, kind = _multipart(example["form"], example.get("files", ()))
    elif "form" in example:
        body = urlencode(_texts(example["form"]), doseq=True).encode()
    elif "data" in example:
        body = str(example["data"]).encode()
    else:
        return None
    headers["Content-Type"] = kind
    return body


def _multipart(form: Mapping[str, Any], files: Sequence[str]) -> tuple[bytes, str]:
    """Return a form's body and its media type; a list has a part for each of its values."""
    from urllib3.fields import RequestField  # noqa: PLC0415 - rare
    from urllib3.filepost import encode_multipart_formdata  # noqa: PLC0415

    fields = []
    for name, value in form.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            if name in files:
                field = RequestField(name, _text(one).encode(), filename=f"{name}.bin")
                field.make_multipart(content_type="application/octet-stream")
            else:
                field = RequestField(name, _text(one))
                kind = "application/json" if isinstance(one, Mapping) else None
                field.make_multipart(content_type=kind)
            fields.append(field)
    return encode_multipart_formdata(fields)
