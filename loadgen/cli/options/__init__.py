"""What can be typed after `loadgen`; help needs nothing else, so that it is quick."""
