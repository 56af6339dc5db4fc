"""What a locustfile imports: clients of protocols, accounts, timing."""
