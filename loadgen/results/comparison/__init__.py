"""Two sides of runs compared: what changed, how surely, and what they were asked for."""
