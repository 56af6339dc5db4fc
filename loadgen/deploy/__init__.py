"""What a deploy needs on the controller: the release, the inventory's rules and lock."""
