"""A Hypothesis profile for tests that ask a checkpoint: `pytest --hypothesis-profile=fairprobe`."""


def register() -> None:
    """Register the profile; Hypothesis calls it when it is imported, by the entry point that this package declares.

    An answer takes as long as it takes, is the same when it is asked again, and comes from a fixture of the session.
    """
    from hypothesis import HealthCheck, settings

    settings.register_profile(
        "fairprobe", deadline=None, derandomize=True, max_examples=50, print_blob=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )  # fmt: skip
