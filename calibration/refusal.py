"""What the numeric core raises instead of guessing."""

from collections.abc import Mapping

_LONGEST = 200
"""Characters that a refusal repeats of a value that somebody gave."""


class Refused(ValueError):
    """A question that law or measurement leaves open: ``template`` filled with ``evidence``.

    ``key`` names the place in the input (``test[0].added_load``) where there is one.
    """

    def __init__(self, template: str, /, *, key: str | None = None, **evidence: object) -> None:
        shown = {name: _shown(name, value) for name, value in evidence.items()}
        text = template.format(**shown)
        super().__init__(f"{key}: {text}" if key else text)
        self.template = template
        self.evidence = shown
        self.key = key


def _shown(name: str, value: object) -> object:
    """Bring a text or a list that was given onto one line, shortened where it is long."""
    if name == "known" or not isinstance(value, str | list | tuple | Mapping):
        return value
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
