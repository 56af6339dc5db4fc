"""Metrics for Prometheus from any Locust: import this in a locustfile, or name it beside yours.

locust -f loadgen_exporter_plugin.py,mine.py

See `loadgen.node.plain_locust`, and docs/any-locust.md.
"""

from locust import events

from loadgen.node.plain_locust import install

events.init.add_listener(install)
