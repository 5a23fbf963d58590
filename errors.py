"""The one exception that means "the input was wrong", shared by every part of the package."""

from __future__ import annotations


class ShopfloorError(ValueError):
    """A user's mistake, explained in one message that names the value, the place and the remedy.

    Raised for bad configs, ids, bundles, contracts and arguments. The command line prints it as a single
    line without a traceback; code that calls the library can catch it as a ``ValueError``.
    """
