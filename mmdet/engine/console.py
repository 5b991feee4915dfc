"""What a run shows on the screen; the log file has all of it.

mmengine logs the environment, the whole config and the order of its hooks before the first step.
The screen shows of mmengine's lines those about progress and checkpoints, and everything that
this project, a user's own code, or a warning says. With `log_level='DEBUG'` it shows all.
"""

import logging
import re
import sys
import traceback

from mmengine.logging import MMLogger

# Beginnings of mmengine's lines that say how the run goes on, or what it started from.
_SHOWN = (
    'Epoch(',
    'Iter(',
    'LR is set based on batch size',
    'The best checkpoint',
    'resumed epoch',
)
# Nothing else says why a training ends before its end.
_SHOWN_MODULES = ('mmengine.hooks.early_stopping_hook',)
# CocoMetric prints its figures as tables.
_SHOWN_AS_TABLE = 'coco/'
# mmengine's CheckpointHook calls what mmengine calls deprecated: there is nothing to be done.
_SILENT_WARNINGS = ('"FileClient" will be deprecated', '"HardDiskBackend" is the alias')


class ScreenFilter(logging.Filter):
    """Lets pass what is meant for the screen; see this module."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is shown."""
        message = record.getMessage()
        if record.levelno >= logging.WARNING:
            return not message.startswith(_SILENT_WARNINGS)
        module = _said_by()
        if not module.startswith('mmengine.') or module in _SHOWN_MODULES:
            return True
        figures = re.findall(r'\S+/\S+(?=: )', message)
        is_in_tables = figures and all(name.startswith(_SHOWN_AS_TABLE) for name in figures)
        return message.startswith(_SHOWN) and not is_in_tables


class ScreenFormatter(logging.Formatter):
    """Time and message; what is not mere information says so."""

    def __init__(self) -> None:
        super().__init__('%(asctime)s  %(message)s', datefmt='%m/%d %H:%M:%S')

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Return a record's line."""
        line = super().formatMessage(record)
        if record.levelno == logging.INFO:
            return line
        time, _, message = line.partition('  ')
        return f'{time}  {record.levelname.lower()}: {message}'


class LogFile(logging.FileHandler):
    """A log file on a disk that may run full: it says so once, and the run goes on."""

    has_failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Say that the file cannot be written, in place of a traceback for each line."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self.has_failed:
            self.has_failed = True
            print(f'warning: {self.baseFilename} cannot be written: {error}', file=sys.stderr)


def arrange_handlers(logger: MMLogger, log_level: int | str) -> None:
    """Give a new logger's handlers the screen's filter and the careful file, in place.

    Args:
        logger: mmengine's, with a handler for the screen and perhaps one for a file.
        log_level: of the run.
    """
    is_quiet = log_level not in ('DEBUG', logging.DEBUG)
    for index, handler in enumerate(logger.handlers):
        if isinstance(handler, logging.FileHandler):
            if type(handler) is logging.FileHandler:
                logger.handlers[index] = _careful(handler)
        elif is_quiet:
            handler.addFilter(ScreenFilter())
            handler.setFormatter(ScreenFormatter())


def _careful(handler: logging.FileHandler) -> LogFile:
    handler.close()
    careful = LogFile(handler.baseFilename, mode='a')
    careful.setLevel(handler.level)
    careful.setFormatter(handler.formatter)
    careful.filters = list(handler.filters)
    return careful


def _said_by() -> str:
    """Return the name of the module that logs the current record.

    A record names the file that called the logger, which for `print_log` is mmengine's own.
    """
    for frame, _ in traceback.walk_stack(None):
        name = frame.f_globals.get('__name__', '')
        if not name.startswith(('logging', 'mmengine.logging', __name__)):
            return name
    return ''
