"""The command `kullback`: whatever happens, an exit status that a script can trust, and one line for a mistake."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from kullback.errors import KullbackError

BAD_INPUT, INTERNAL, INTERRUPTED = 2, 4, 130  # 1 says that a gate is hit, so no failure may end with it
_EXTRA = {"typer", "rich", "polars", "jinja2", "narwhals", "pyarrow"}


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit status."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")  # a terminal without block characters still gets its table
    sys.exit(_status(sys.argv[1:] if arguments is None else list(arguments)))


def _status(arguments: list[str]) -> int:
    try:
        from kullback.tables.command import app
    except ImportError as error:
        if error.name is None or error.name.split(".")[0] not in _EXTRA:
            raise
        return _said(f"the command line needs {error.name}; install it with: pip install 'kullback[tables]'")
    try:
        app(args=arguments, prog_name="kullback")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    except KullbackError as error:
        return _said(" ".join(str(error).split()))
    except KeyboardInterrupt:
        return INTERRUPTED
    except MemoryError:
        return _said("there is not enough memory; compare fewer columns or rows")
    except Exception:  # noqa: BLE001  a mistake of this library: all of it is shown, under a status of its own
        traceback.print_exc()
        print("kullback: this is a mistake in kullback, not in your data; please report it", file=sys.stderr)  # noqa: T201
        return INTERNAL
    return 0


def _said(message: str) -> int:
    print(f"kullback: error: {message}", file=sys.stderr)  # noqa: T201
    return BAD_INPUT
