"""Text that is there on every machine: the sources of Python's standard library, as characters."""

from __future__ import annotations

import sysconfig
from functools import cache
from pathlib import Path

import numpy as np

ALPHABET = "\n abcdefghijklmnopqrstuvwxyz0123456789_.,:;()[]{}=+-*/'\"#<>"
_MODULES = (
    "argparse",
    "ast",
    "calendar",
    "configparser",
    "csv",
    "datetime",
    "difflib",
    "doctest",
    "enum",
    "fractions",
)


@cache
def characters() -> np.ndarray:
    """Codes of the lower-cased characters of some modules; what is not in `ALPHABET` is left out."""
    code = {c: i for i, c in enumerate(ALPHABET)}
    folder = Path(sysconfig.get_paths()["stdlib"])
    text = "".join((folder / f"{name}.py").read_text(encoding="utf-8").lower() for name in _MODULES)
    return np.array([code[c] for c in text if c in code])


def contexts(order: int) -> tuple[np.ndarray, np.ndarray]:
    """Every `order` characters that follow each other, of shape (n, order), and the one after them."""
    codes = characters()
    windows = np.lib.stride_tricks.sliding_window_view(codes, order + 1)
    return windows[:, :order], windows[:, order]
