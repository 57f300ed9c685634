"""What a check found."""

import enum

import msgspec


class Level(enum.Enum):
    """How bad it is."""

    FINE = "fine"
    WARNING = "warning"
    FAILURE = "failure"


class Finding(msgspec.Struct, frozen=True):
    """One finding.

    Attributes:
        subject: what was looked at, one or two words.
        level: how bad it is; a failure makes the doctor's exit code 1.
        says: what was found, with figures and units.
        advice: what to do; empty when it is fine.
    """

    subject: str
    level: Level
    says: str
    advice: str = ""


def fine(subject: str, says: str) -> Finding:
    """All is well here."""
    return Finding(subject, Level.FINE, says)


def warning(subject: str, says: str, advice: str) -> Finding:
    """It works, but not for ever, or not as well as it should."""
    return Finding(subject, Level.WARNING, says, advice)


def failure(subject: str, says: str, advice: str) -> Finding:
    """It doesn't work, or what we promise doesn't hold."""
    return Finding(subject, Level.FAILURE, says, advice)
