"""What goes wrong with storage, in the words that operators and the engine read: one reason each.

Whatever a library raises becomes a `StorageError` here, and nowhere else. Texts carry no credentials.
"""

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Literal, get_args

Reason = Literal["full", "gone", "read_only", "denied", "unreachable", "slow", "mismatch", "broken"]
REASONS: Final = get_args(Reason)
MAX_TEXT: Final = 300

OF_ERRNO: Final[Mapping[int, Reason]] = {
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EFBIG: "full",
    errno.ENOENT: "gone",
    errno.ENOTDIR: "gone",
    errno.EEXIST: "gone",  # something else where a folder should be
    errno.ESTALE: "gone",
    errno.ENODEV: "gone",
    errno.EROFS: "read_only",
    errno.EACCES: "denied",
    errno.EPERM: "denied",
    errno.ETIMEDOUT: "slow",
    errno.ECONNREFUSED: "unreachable",
    errno.ECONNRESET: "unreachable",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EPIPE: "unreachable",
}
OF_CLASS: Final[Mapping[str, Reason]] = {  # by name, so that optional libraries are not imported for it
    "FileNotFoundError": "gone",
    "PermissionError": "denied",
    "PermissionDenied": "denied",
    "HostKeyNotVerifiable": "denied",
    "SFTPPermissionDenied": "denied",
    "TimeoutError": "slow",
    "FSTimeoutError": "slow",
    "ReadTimeoutError": "slow",
    "ConnectTimeoutError": "slow",
    "SFTPNoSpaceOnFilesystem": "full",
    "SFTPQuotaExceeded": "full",
    "SFTPWriteProtect": "read_only",
    "SFTPNoSuchFile": "gone",
    "SFTPNoSuchPath": "gone",
    "ConnectionError": "unreachable",
    "ConnectionLost": "unreachable",
    "DisconnectError": "unreachable",
    "SFTPConnectionLost": "unreachable",
    "SFTPNoConnection": "unreachable",
    "EndpointConnectionError": "unreachable",
    "ConnectionClosedError": "unreachable",
    "gaierror": "unreachable",
}
REFUSALS: Final = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "Permission denied", "Host key")


class StorageError(Exception):
    """A store did not do what was asked; it may later."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason: Reason = reason
        self.text = text[:MAX_TEXT]


@contextmanager
def told(store: str) -> Iterator[None]:
    """Turn what libraries raise into `StorageError`; what is no matter of storage passes."""
    try:
        yield
    except StorageError:
        raise
    except Exception as problem:
        raise StorageError(reason_of(problem), f"{store}: {text_of(problem)}") from problem


def reason_of(problem: BaseException) -> Reason:
    """Why, as far as the exception, or one behind it, tells."""
    seen: BaseException | None = problem
    while seen is not None:
        reason = _by_type(seen)
        if reason is not None:
            return reason
        seen = seen.__cause__ or seen.__context__
    return "denied" if any(word in str(problem) for word in REFUSALS) else "broken"


def _by_type(problem: BaseException) -> Reason | None:
    if isinstance(problem, OSError) and problem.errno is not None and problem.errno in OF_ERRNO:
        return OF_ERRNO[problem.errno]
    for kind in type(problem).__mro__:
        if kind.__name__ in OF_CLASS:
            return OF_CLASS[kind.__name__]
    return None


def text_of(problem: BaseException) -> str:
    """One line, without the local path or anything an exception may carry beside its message."""
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    return " ".join(str(problem).split()) or type(problem).__name__
