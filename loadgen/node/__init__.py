"""What runs inside Locust's processes: launcher, channel, publisher, reporter."""
