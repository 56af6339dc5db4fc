"""What a project does with its runs: repeats them elsewhere, makes them in CI."""
