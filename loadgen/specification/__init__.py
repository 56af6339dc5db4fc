"""What a run is asked to be: options, experiment files, SLOs, the plan."""
