"""What a request log looks like: workers write it, and the command reads it.

It is apart from the writing, which needs Locust: importing that patches the standard library, and
the command would then wait for ever in its next run.

A worker writes chunks: a row for all requests that are alike but for their times, which are lists.
That takes a quarter of the time, and of the memory until then, that a row for each request takes.
"""

import polars as pl

CHUNK_ROWS = 80_000
DIRECTORY = "requests"
TIMES = ("start_us", "duration_us")
SCHEMA = pl.Schema(
    {
        "start_us": pl.Int64(),
        "duration_us": pl.Int64(),
        "method": pl.String(),
        "name": pl.String(),
        "status": pl.UInt16(),
        "error": pl.String(),
        "worker": pl.String(),
        "phase": pl.String(),
        "trace_id": pl.String(),
    }
)
CHUNK_SCHEMA = pl.Schema(
    {name: pl.List(kind) if name in TIMES else kind for name, kind in SCHEMA.items()}
)


def requests_in(chunks: pl.LazyFrame) -> pl.LazyFrame:
    """Return chunks' requests, a row for each, with SCHEMA's columns."""
    return chunks.explode(TIMES)
