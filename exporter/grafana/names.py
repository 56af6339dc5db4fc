"""What every dashboard's queries have in common."""

from loadgen.shared.snapshot import TRANSACTION_METHODS

FLEET = 'fleet="$fleet"'
"""One fleet of several; without the label every series belongs to the one that has no name."""

REQUESTS_ONLY = f'method!~"{"|".join(sorted(TRANSACTION_METHODS))}"'
"""Rows of these methods time what requests make up, which have rows of their own."""
