"""Where tables are printed."""

from typing import Final

from rich.console import Console

NARROWEST: Final = 130  # columns of a pipe or a log, where rich would assume 80


def wide_console() -> Console:
    """Standard output; as wide as the terminal, or wide enough for our tables where there is none."""
    console = Console()
    return console if console.is_terminal else Console(width=NARROWEST)
