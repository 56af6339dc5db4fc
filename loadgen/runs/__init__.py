"""One run's life, and series of runs: sweeps and capacity searches."""
