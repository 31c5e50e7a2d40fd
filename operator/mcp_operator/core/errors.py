"""The errors whose text a person reads."""

from __future__ import annotations


class OperatorError(Exception):
    """The base of all errors whose text is a sentence for a person: what, where, what to do.

    Handlers print or log the text alone; a traceback belongs only to errors that are not one of
    these, because those are bugs.
    """


class SettingsError(OperatorError):
    """A setting is missing or wrong; the text names the setting and the accepted values."""
