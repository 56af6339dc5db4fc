"""What scenarios share: clients of protocols, accounts, timing."""
