"""What every dashboard's queries have in common."""

FLEET = 'fleet="$fleet"'
"""One fleet of several; without the label every series belongs to the one that has no name."""

REQUESTS_ONLY = 'method!~"ARRIVAL|ALARM|TRANSACTION"'
"""Rows of these methods time what requests make up, which have rows of their own."""
