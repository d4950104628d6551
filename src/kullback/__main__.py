"""`python -m kullback` is the command `kullback`."""

from __future__ import annotations

from kullback.tables.cli import main

if __name__ == "__main__":
    main()
