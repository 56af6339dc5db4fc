"""Recordings: from a HAR file to a locustfile."""
