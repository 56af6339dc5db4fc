"""The `loadgen` command: one module a group of verbs; `main` assembles them."""
