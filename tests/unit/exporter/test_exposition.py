from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder

from exporter.collector import LocustCollector
from exporter.exposition import Exposition
from tests.unit.exporter.samples import SNAPSHOT, entry, snapshot

ACCEPT = ["", "text/plain;version=1.0.0", "application/openmetrics-text;version=1.0.0"]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
COUNT = st.integers(min_value=0, max_value=10**10)


def reference(collector: LocustCollector, accept: str) -> bytes:
    registry = CollectorRegistry()
    registry.register(collector)
    return choose_encoder(accept)[0](registry)


@pytest.mark.parametrize("accept", ACCEPT)
@settings(deadline=None)  # a busy machine is no fault
@given(name=TEXT, requests=COUNT, milliseconds=st.floats(min_value=0, max_value=1e9))
def test_every_format_is_the_clients_byte_by_byte(
    accept: str, name: str, requests: int, milliseconds: float
) -> None:
    collector = LocustCollector(lambda: 1.0)
    collector.update(snapshot("m1-1", entry(name, requests, milliseconds), entry("/b", 3)))
    _, body = Exposition(collector).render(accept)
    assert body == reference(collector, accept)


@pytest.mark.parametrize("later", ["m1-1", "m1-2"])
def test_what_is_kept_between_scrapes_is_never_shown_where_it_changed(later: str) -> None:
    collector = LocustCollector(lambda: 1.0)
    exposition = Exposition(collector)
    for epoch, changed in (("m1-1", 3), ("m1-1", 3), (later, 2_000_000), (later, 2_000_001)):
        entries = (entry("/same", 5, 12.0), entry("/%d", changed, 0.4), entry("/new", changed))
        collector.update(snapshot(epoch, *entries))
        assert exposition.render()[1] == reference(collector, "")


def test_names_that_ended_are_gone() -> None:
    collector = LocustCollector(lambda: 1.0)
    exposition = Exposition(collector)
    collector.update(SNAPSHOT)
    assert b'name="/"' in exposition.render()[1]
    collector.restore("", {})
    collector.update(replace(SNAPSHOT, epoch="m2-1", entries=[entry("/b", 1)], errors=[]))
    assert b'name="/b"' in exposition.render()[1]


def test_its_own_process_is_in_a_scrape() -> None:
    process = ProcessCollector(registry=None)
    _, body = Exposition(LocustCollector(lambda: 1.0), process).render()
    assert b"process_cpu_seconds_total" in body
