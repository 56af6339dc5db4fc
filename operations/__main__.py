"""`python -m operations` is `loadgen`."""

from operations.cli import main

main()
