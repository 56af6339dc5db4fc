"""The `loadgen` command: one module a group of verbs."""
