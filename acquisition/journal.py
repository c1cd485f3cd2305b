"""What the station says of itself while it works: one event, its values, and a sentence.

People read the sentence, in their language; programs read event and values as one JSON object a
line, in English, with the start of the computer and its uptime, so that lines can be put in order
whatever the clock did. What libraries and the other rooms log is recognised by its words.
"""

import json
import logging
import logging.handlers
import os
import sys
from datetime import UTC, datetime
from typing import Any

from acquisition.config import Log
from acquisition.faults import english, sentence
from acquisition.language import recognised, t
from acquisition.machine import boot_id, uptime

_PRIORITIES = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}
"""Severities of syslog, by which journald sorts."""


class Journal:
    """Says what happened; the first argument is a sentence with places for the values."""

    def __init__(self, name: str) -> None:
        self._log = logging.getLogger(name)

    def info(self, template: str, /, *, event: str, **values: object) -> None:
        """Say something that is as it should be."""
        self._say(logging.INFO, template, event, values, None)

    def warning(self, template: str, /, *, event: str, **values: object) -> None:
        """Say something that somebody should look after."""
        self._say(logging.WARNING, template, event, values, None)

    def error(
        self,
        template: str,
        /,
        *,
        event: str,
        traceback: BaseException | None = None,
        **values: object,
    ) -> None:
        """Say something that went wrong, with the program's own trace where it is to blame."""
        self._say(logging.ERROR, template, event, values, traceback)

    def _say(
        self,
        level: int,
        template: str,
        event: str,
        values: dict[str, object],
        error: BaseException | None,
    ) -> None:
        if not self._log.isEnabledFor(level):
            return
        plain = {name: _english(value) for name, value in values.items()}
        self._log.log(
            level,
            "%s",
            template.format(**plain),
            exc_info=error,
            extra={"event": event, "template": template, "said": values, "plain": plain},
        )


def _english(value: object) -> object:
    return english(value) if isinstance(value, BaseException) else value


def _spoken(value: object) -> object:
    return sentence(value) if isinstance(value, BaseException) else value


class ForPeople(logging.Formatter):
    """Time, severity and the sentence in the language in force; for journald its own severity."""

    def __init__(self, *, journald: bool = False) -> None:
        super().__init__()
        self._journald = journald

    def format(self, record: logging.LogRecord) -> str:
        """Write a line, and below it the trace of an error."""
        template = getattr(record, "template", None)
        if template is None:
            text = t(record.getMessage())
        else:
            said: dict[str, Any] = record.said  # type: ignore[attr-defined]  # given with template
            text = t(template, **{name: _spoken(value) for name, value in said.items()})
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        if self._journald:  # it notes the time itself
            mark = f"<{_PRIORITIES.get(record.levelname, 5)}>"
            return "\n".join(mark + line for line in text.splitlines())
        now = datetime.fromtimestamp(record.created, UTC).astimezone()
        return f"{now:%Y-%m-%d %H:%M:%S} {record.levelname} {text}"


class ForPrograms(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the object."""
        message = record.getMessage()
        values: dict[str, Any] | None = getattr(record, "plain", None)
        event = getattr(record, "event", "")
        if values is None:  # said by a library or another room: known by its words
            values = recognised(message)
            event = record.name.rpartition(".")[2]
        line = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "boot": boot_id(),
            "uptime": round(uptime(), 3),
            "level": record.levelname.lower(),
            "event": event,
            "message": message,
            "logger": record.name,
        }
        line |= {name: value for name, value in values.items() if name not in line}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def open_journal(settings: Log) -> None:
    """Send what is logged where the configuration says: standard error, or a file that is turned.

    ``OSError`` when the file cannot be written.
    """
    handler: logging.Handler
    journald = settings.file is None and "JOURNAL_STREAM" in os.environ
    if settings.file is None:
        handler = logging.StreamHandler(sys.stderr)
    else:
        settings.file.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(
            settings.file, maxBytes=settings.max_bytes, backupCount=settings.keep, encoding="utf-8"
        )
    handler.setFormatter(
        ForPrograms() if settings.format == "json" else ForPeople(journald=journald)
    )
    logging.basicConfig(level=settings.level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # a line that finds no room on a full disk is lost, no more
    logging.getLogger("pint").setLevel(logging.ERROR)  # our litre is no news
