"""Whether a run can be believed, and whether its SLOs held."""
