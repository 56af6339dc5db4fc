"""Load shapes that a locustfile can subclass."""
