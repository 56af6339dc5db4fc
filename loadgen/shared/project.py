"""Where the project lies: the directory above the package `loadgen`."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
