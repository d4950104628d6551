"""Every error and warning that kullback raises on purpose, so that a caller can catch them by name."""


class KullbackError(Exception):
    """The common ancestor: catch it to catch whatever this library refuses."""


class InvalidInputError(KullbackError, ValueError):
    """A value is outside its domain: negative, NaN, infinite, empty, or masses that do not sum to 1."""


class ShapeError(KullbackError, ValueError):
    """Two arrays do not fit together, or an axis does not exist."""


class DTypeError(KullbackError, TypeError):
    """The type of an array, or of its elements, cannot carry the quantity that is asked for."""


class UnsupportedPairError(KullbackError, NotImplementedError):
    """The quantity exists, but not for this pair of objects; the message lists what does."""


class ConvergenceError(KullbackError, RuntimeError):
    """An iterative solver stopped before its tolerance was reached."""


class BudgetError(KullbackError, RuntimeError):
    """A holdout has given all the answers that it can give without losing what it promises."""


class UntrustedFileError(KullbackError, ValueError):
    """A file is of a kind that can run code when read, or claims a size beyond the limit."""


class MissingDependencyError(KullbackError, ImportError):
    """An optional part of the library is not installed; the message names the extra that brings it."""


class TieWarning(UserWarning):
    """Equal values where the method assumes none."""


class SmallSampleWarning(UserWarning):
    """Too few rows for the promise that the method makes at its usual size."""


class CoverageWarning(UserWarning):
    """An interval is known to cover less often than its level on data like these."""
