"""Examples are the same in every run, and take as long as they take on a busy machine."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "attackers",
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("attackers")
