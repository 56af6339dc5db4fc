"""Systems under test that can be run here, answering as the real ones do."""
