"""Where a run's processes live: on this machine, or on a fleet; one interface for both."""
