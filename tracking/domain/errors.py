"""The kinds of error, and what each does to a batch. Anything else stops the worker loudly."""


class Rejected(Exception):
    """This event can't be taken, now or ever. Keep it whole with the reason; go on with its neighbours.

    Attributes:
        reason: a stable word from ``devices.messages.REJECTION_REASONS``.
        detail: for people: what was wrong, where, and what to do.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Retryable(Exception):
    """Nothing is wrong with the batch; the world wasn't ready. Roll back, wait, do the same batch again."""


class Fenced(Exception):
    """Another worker has taken this partition over. Roll back and drop everything held of it."""
