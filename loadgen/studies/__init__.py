"""Published studies, each whole and in one place."""
