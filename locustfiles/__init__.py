"""Scenarios, one a file; shared clients and load shapes beside them."""
