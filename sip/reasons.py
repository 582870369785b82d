"""Reason phrases, and the two-way map between SIP status codes and Q.850 causes (RFC 3261 section 21, RFC 3398)."""

from __future__ import annotations

from typing import Final

__all__ = ["PHRASES", "Q850_PHRASES", "phrase", "q850_from_status", "status_from_q850"]

PHRASES: Final[dict[int, str]] = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    199: "Early Dialog Terminated",
    200: "OK",
    202: "Accepted",
    204: "No Notification",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    305: "Use Proxy",
    380: "Alternative Service",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    412: "Conditional Request Failed",
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    417: "Unknown Resource-Priority",
    420: "Bad Extension",
    421: "Extension Required",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    424: "Bad Location Information",
    428: "Use Identity Header",
    429: "Provide Referrer Identity",
    430: "Flow Failed",
    433: "Anonymity Disallowed",
    436: "Bad Identity Info",
    437: "Unsupported Credential",
    438: "Invalid Identity Header",
    439: "First Hop Lacks Outbound Support",
    440: "Max-Breadth Exceeded",
    469: "Bad Info Package",
    470: "Consent Needed",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    485: "Ambiguous",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    493: "Undecipherable",
    494: "Security Agreement Required",
    500: "Server Internal Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    513: "Message Too Large",
    555: "Push Notification Service Not Supported",
    580: "Precondition Failure",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
    607: "Unwanted",
    608: "Rejected",
}

_CLASS_PHRASES: Final = {
    1: "Progress",
    2: "OK",
    3: "Redirection",
    4: "Client Error",
    5: "Server Error",
    6: "Global Failure",
}

Q850_PHRASES: Final[dict[int, str]] = {
    1: "Unallocated number",
    2: "No route to specified transit network",
    3: "No route to destination",
    16: "Normal call clearing",
    17: "User busy",
    18: "No user responding",
    19: "No answer from user",
    20: "Subscriber absent",
    21: "Call rejected",
    22: "Number changed",
    23: "Redirection to new destination",
    25: "Exchange routing error",
    26: "Non-selected user clearing",
    27: "Destination out of order",
    28: "Invalid number format",
    29: "Facility rejected",
    31: "Normal, unspecified",
    34: "No circuit available",
    38: "Network out of order",
    41: "Temporary failure",
    42: "Switching equipment congestion",
    47: "Resource unavailable",
    55: "Incoming calls barred within CUG",
    57: "Bearer capability not authorized",
    58: "Bearer capability not presently available",
    63: "Service or option not available",
    65: "Bearer capability not implemented",
    70: "Only restricted digital information available",
    79: "Service or option not implemented",
    87: "User not member of CUG",
    88: "Incompatible destination",
    95: "Invalid message",
    102: "Recovery on timer expiry",
    111: "Protocol error",
    127: "Interworking, unspecified",
}

_NORMAL_CLEARING: Final = 16
_NORMAL_UNSPECIFIED: Final = 31
_TEMPORARY_FAILURE: Final = 41
_INTERWORKING: Final = 127

_Q850_FROM_STATUS: Final = {  # RFC 3398 section 8.2.6.1, and the codes that came after it
    400: 41, 401: 21, 402: 21, 403: 21, 404: 1, 405: 63, 406: 79, 407: 21, 408: 102, 410: 22, 413: 127, 414: 127,
    415: 79, 416: 127, 420: 127, 421: 127, 423: 127, 480: 18, 481: 41, 482: 25, 483: 25, 484: 28, 485: 1, 486: 17,
    487: 16, 488: 88, 491: 41, 500: 41, 501: 79, 502: 38, 503: 41, 504: 102, 505: 127, 513: 127, 580: 47, 600: 17,
    603: 21, 604: 1, 606: 88, 607: 21, 608: 21,
}  # fmt: skip
_Q850_FROM_CLASS: Final = {4: _NORMAL_UNSPECIFIED, 5: _TEMPORARY_FAILURE, 6: _NORMAL_UNSPECIFIED}
_STATUS_FROM_Q850: Final = {  # RFC 3398 section 7.2.4.1
    1: 404, 2: 404, 3: 404, 16: 480, 17: 486, 18: 408, 19: 480, 20: 480, 21: 403, 22: 410, 23: 410, 26: 404, 27: 502,
    28: 484, 29: 501, 31: 480, 34: 503, 38: 503, 41: 503, 42: 503, 47: 503, 55: 403, 57: 403, 58: 503, 65: 488, 70: 488,
    79: 501, 87: 403, 88: 503, 102: 504, 111: 500, 127: 500,
}  # fmt: skip


def phrase(status: int) -> str:
    """The usual words for a status; for an unregistered one those of its class."""
    return PHRASES.get(status) or _CLASS_PHRASES.get(status // 100, "Unknown")


def q850_from_status(status: int) -> int:
    """Q.850 cause for a final SIP status (2xx: normal clearing)."""
    if 200 <= status < 300:
        return _NORMAL_CLEARING
    cause = _Q850_FROM_STATUS.get(status)
    if cause is not None:
        return cause
    return _Q850_FROM_CLASS.get(status // 100, _INTERWORKING)


def status_from_q850(cause: int) -> int:
    """SIP status for a Q.850 cause that refused a call; an unlisted one follows its class (Q.850 section 2.2.5)."""
    status = _STATUS_FROM_Q850.get(cause)
    if status is not None:
        return status
    if cause < 32:
        return 480
    if cause < 48:
        return 503
    if cause < 64:
        return 403
    return 501 if cause < 80 else 500
