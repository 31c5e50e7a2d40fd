"""Base classes of the errors whose text is shown to users."""

from __future__ import annotations

from collections.abc import Iterator


class OperatorError(Exception):
    """The base of all errors whose text tells a user what is wrong, where, and what to do.

    Handlers print or log only the text. All other errors are bugs, and come with a traceback.
    """


class SettingsError(OperatorError):
    """A setting is missing or wrong; the text names the setting and the accepted values."""


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors in an exception group and in the groups within it, or the error itself."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from leaves(one)
    else:
        yield error
