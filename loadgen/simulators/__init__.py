"""Systems under test that can be run here, answering as the real ones do."""

NAMES = ("alarm_receiver", "capacity", "django_site", "dspace", "hello", "streams", "teastore")
