"""Load shapes: how many users there are, or how many requests arrive, over time."""
