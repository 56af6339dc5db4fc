"""What a request log looks like: workers write it, and the command reads it.

It is apart from the writing, which needs Locust: importing that patches the standard library, and
the command would then wait for ever in its next run.
"""

import polars as pl

CHUNK_ROWS = 80_000
DIRECTORY = "requests"
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
