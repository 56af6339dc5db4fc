"""The commands of README and docs, typed: with little load, on simulators in their hosts' place."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from loadgen.shared.project import PROJECT
from tests.servers import simulator
from tests.studies.pages import Session
from tests.unit.test_documentation import shown

MAKE_LITTLE = " USERS=2 RUN_TIME=3s WORKERS=1"
LITTLE = " --users 2 --run-time 3s --workers 1"
CAPACITY_LITTLE = " LOCUST_OPTIONS='--users 2'"
ENVIRONMENT = "SHOP_TOKEN=secret SHOP_REGION=eu "
HOSTS = {
    "https://shop.example": "hello",
    "https://test.example.org": "hello",
    "https://tea.example.org": "teastore",
    "https://repository.example.org": "dspace",
    "https://site.example.org": "django_site",
    "https://talk.example.org": "streams",
}
SHOP = """
from locust import task

from loadgen.scenario import FastUser


class Visitor(FastUser):
    @task
    def hello(self) -> None:
        self.client.get("/hello")
"""


@dataclass(frozen=True)
class Typed:
    """A command as a page has it, what is added to it, and before it."""

    command: str
    more: str = ""
    before: str = ""


RUN = [
    Typed("make run-distributed", MAKE_LITTLE),
    Typed("make probe LOCUSTFILE=shop/locustfile.py HOST=https://test.example.org"),
    Typed(
        "make run-distributed LOCUSTFILE=shop/locustfile.py HOST=https://test.example.org USERS=20",
        MAKE_LITTLE,
    ),
    Typed(
        "loadgen run --locustfile shop/locustfile.py --env SHOP_TOKEN --env SHOP_REGION=eu",
        LITTLE,
        ENVIRONMENT,
    ),
    Typed("loadgen run --locustfile shop/locustfile.py --env-file shop.env", LITTLE),
    Typed(
        'make run-distributed LOCUSTFILE=shop/locustfile.py ENV="SHOP_TOKEN SHOP_REGION=eu"',
        MAKE_LITTLE,
        ENVIRONMENT,
    ),
    Typed("make run-distributed LOCUSTFILE=locustfiles/teastore.py", MAKE_LITTLE),
    Typed("make run-distributed LOCUSTFILE=locustfiles/dspace.py", MAKE_LITTLE),
    Typed("make run-distributed LOCUSTFILE=locustfiles/django_site.py", MAKE_LITTLE),
    Typed("make run-distributed LOCUSTFILE=locustfiles/streams.py", MAKE_LITTLE),
]
"""Typed by a test of this file, one after another, in one directory."""
