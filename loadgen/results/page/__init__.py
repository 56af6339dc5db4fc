"""The pages that a browser shows: a run's report, and the index of all runs."""
