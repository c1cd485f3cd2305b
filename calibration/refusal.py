"""What the numeric core raises instead of guessing."""


class Refused(ValueError):
    """A question that law or measurement leaves open: ``template`` filled with ``evidence``.

    ``key`` names the place in the input (``test[0].added_load``) where there is one.
    """

    def __init__(self, template: str, /, *, key: str | None = None, **evidence: object) -> None:
        text = template.format(**evidence)
        super().__init__(f"{key}: {text}" if key else text)
        self.template = template
        self.evidence = evidence
        self.key = key
