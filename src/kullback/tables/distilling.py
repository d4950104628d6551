"""`kullback distill CONFIG`: the settings go to the trainers, what they say of their progress to the terminal."""

from __future__ import annotations

from pathlib import Path

from kullback.errors import MissingDependencyError
from kullback.progress import Reporter


def run(config: Path, *, quiet: bool) -> str:
    """Train as the settings say, and tell in a few lines what came of it and where it is."""
    with Reporter(quiet=quiet) as progress:
        progress("loading the trainers", 0, 0)
        try:
            from kullback.losses.trainers.settings import read

            recipe = read(config)  # a mistake is said before the trainers are loaded, which takes seconds
            from kullback.losses.trainers.run import distill
        except ImportError as error:
            raise MissingDependencyError(
                f"`kullback distill` needs {error.name}; install it with: pip install 'kullback[trainers]'"
            ) from error
        outcome = distill(recipe, progress)
    folder = outcome.folder
    where = f"student  {folder / 'student'}\ncard     {folder / 'student' / 'README.md'}\n"
    return f"{outcome}\n\n{where}curves   {folder / 'curves.svg'}"
