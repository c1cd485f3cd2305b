"""National settings: placeholder, filled in below."""


class NationalSettings:
    """Filled in below."""

    digest: str
