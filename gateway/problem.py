"""What a person did wrong, or the machine lacks: said in one line, with what to do about it."""


class Problem(Exception):
    """An expected failure. The command line prints it without a traceback and ends with exit code 1.

    Attributes:
        what: what is wrong, and where; one line.
        advice: what to do about it; may be empty, may have several lines.
    """

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.advice = advice

    def __str__(self) -> str:
        """As it is shown: ``error: ...`` is put before it by the command line."""
        lines = [self.what, *self.advice.splitlines()]
        return "\n       ".join(lines)
