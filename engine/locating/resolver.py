"""Asking the name system: dnspython on the engine's loop. A question never raises and never outlives its time-out."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.resolver

from santral.engine.config.values import HostPort
from santral.engine.locating.cache import FAILED_S, LONGEST_NEGATIVE_S, Answer
from santral.sip.locating import Naptr, Question, Records, Srv

QUESTION_S: Final = 2.0  # for all servers and repetitions together
SERVER_S: Final = 0.8  # for one server, before the next is asked
NEGATIVE_S: Final = 60.0  # where the answer does not say for how long (RFC 2308 asks it to)
RESOLV_CONF: Final = Path("/etc/resolv.conf")
LOOKED_AT_S: Final = 5.0


class Resolver:
    """`nameservers` replace those of the system, whose changes are noticed. `clock` is monotonic."""

    def __init__(self, clock: Callable[[], float], nameservers: Sequence[HostPort] = ()) -> None:
        self._clock = clock
        self._nameservers = tuple(nameservers)
        self._resolver: dns.asyncresolver.Resolver | None = None
        self._look_at = 0.0
        self._seen = 0

    def use(self, nameservers: Sequence[HostPort]) -> None:
        """Ask these from now on; none: the system's."""
        if tuple(nameservers) != self._nameservers:
            self._nameservers, self._resolver, self._seen = tuple(nameservers), None, 0

    async def ask(self, question: Question) -> Answer:
        """The records of one question."""
        try:
            name = dns.name.from_text(question.name)
            async with asyncio.timeout(QUESTION_S + SERVER_S):
                answer = await self._current().resolve(name, question.kind, search=False, lifetime=QUESTION_S)
        except dns.resolver.NXDOMAIN as none:
            return Answer((), _negative_ttl(none.kwargs.get("responses", {}).values()))
        except dns.resolver.NoAnswer as none:
            return Answer((), _negative_ttl([none.kwargs.get("response")]))
        except (dns.name.LabelTooLong, dns.name.NameTooLong, dns.name.EmptyLabel, UnicodeError):
            return Answer((), LONGEST_NEGATIVE_S)  # no name at all
        except (dns.exception.DNSException, OSError, TimeoutError, EOFError, ValueError):
            return Answer((), FAILED_S, failed=True)
        return Answer(_records(question.kind, answer), float(answer.rrset.ttl) if answer.rrset else NEGATIVE_S)

    def _current(self) -> dns.asyncresolver.Resolver:
        if not self._nameservers and self._clock() >= self._look_at:
            self._look_at = self._clock() + LOOKED_AT_S
            seen = 0
            with suppress(OSError):
                seen = RESOLV_CONF.stat().st_mtime_ns
            if seen != self._seen:
                self._seen, self._resolver = seen, None
        if self._resolver is None:
            self._resolver = dns.asyncresolver.Resolver(configure=not self._nameservers)
            self._resolver.timeout = SERVER_S
            self._resolver.cache = None
            if self._nameservers:
                self._resolver.nameservers = [
                    dns.nameserver.Do53Nameserver(one.host, one.port) for one in self._nameservers
                ]
        return self._resolver


def _records(kind: str, answer: Any) -> Records:
    match kind:
        case "NAPTR":
            return tuple(
                Naptr(one.order, one.preference, _text(one.flags), _text(one.service), _plain(one.replacement))
                for one in answer
            )
        case "SRV":
            return tuple(Srv(one.priority, one.weight, one.port, _plain(one.target)) for one in answer)
    return tuple(str(one.address) for one in answer)


def _plain(name: dns.name.Name) -> str:
    """Lower case, without the last dot; "" for the root, which means: no such service."""
    return name.to_text(omit_final_dot=True).lower() if name != dns.name.root else ""


def _text(octets: bytes) -> str:
    return octets.decode("ascii", "replace")


def _negative_ttl(responses: Any) -> float:
    """RFC 2308 section 5: the lesser of the SOA record's own time to live and its MINIMUM."""
    for response in responses:
        for rrset in response.authority if response is not None else ():
            if rrset.rdtype == dns.rdatatype.SOA:
                return float(min(rrset.ttl, rrset[0].minimum))
    return NEGATIVE_S
