"""Publishes a master's live statistics: snapshots over ZeroMQ, metrics over HTTP."""
