"""Measures generators in pairs, on pinned cores; `make bench` writes what it finds to docs."""
