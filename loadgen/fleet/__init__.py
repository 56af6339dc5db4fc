"""Both ends of SSH: the hosts of an inventory, and the agent on each of them."""
