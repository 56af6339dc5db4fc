"""Drives runs: starts, watches, stops, collects and judges load on one machine or a fleet."""
