"""Grafana dashboards as code: `python -m exporter.grafana` writes them to `dashboards/*.json`.

A dashboard is a function that returns one; a panel is a call with title, description, unit and
queries. The committed JSON is what Grafana is given; a test compares it with what this makes.
"""
