"""What the office vouches for: its measurement standards and the legal tables it approved."""

from acquisition.config import Station
from calibration.evaluation import Standard


def standards_register(settings: Station) -> dict[str, Standard]:
    """Return the measurement standards of the configuration by id."""
    return {standard.id: standard for standard in settings.standards}


def approved_digests(settings: Station) -> frozenset[str]:
    """Return the digests of the legal tables that the office approved."""
    return frozenset(a.digest for a in settings.approval)
