"""Log lines for people: our processes write JSON, the broker and the database their own text."""

import json

_SHOWN_APART = ("time", "level", "event", "process", "exception")


def readable(line: str) -> str:
    """A JSON record as ``time level event name=value``; any other line as it is."""
    if not line.startswith("{"):
        return line
    try:
        record = json.loads(line)
    except ValueError:
        return line
    if not isinstance(record, dict) or "event" not in record:
        return line
    time = str(record.get("time", ""))[11:23]
    extras = " ".join(f"{name}={value}" for name, value in record.items() if name not in _SHOWN_APART)
    text = f"{time} {record.get('level', ''):<7} {record['event']} {extras}".rstrip()
    return f"{text}\n{record['exception']}" if "exception" in record else text
