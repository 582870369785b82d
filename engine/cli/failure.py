"""How a command fails."""


class Failure(Exception):  # noqa: N818 - the word of the command line: it ends with a line and a status
    """A command cannot do what was asked: the text goes to stderr, `status` to the shell."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status
