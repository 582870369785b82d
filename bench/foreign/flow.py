"""Scenarios for SIPp, written as the steps of a call: what this side sends, what it expects, what it insists on.

    Flow.caller("late").send("INVITE").expect(200, "m=audio").send("ACK", sdp=True).pause(200).send("BYE").expect(200)

One dialog per scenario. A step that comes out of order, or a message that lacks what a step insists on, fails the call.
"""

from collections.abc import Sequence
from html import escape
from typing import Final, Self

KEPT: Final = {
    "from": "From",
    "to": "To",
    "via": "Via",
    "cseq": "CSeq",
}  # of the INVITE, for later answers and requests of the callee
REPEAT_MS: Final = 500
SDP: Final = """\
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 {version} IN IP[media_ip_type] [media_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a={direction}
"""
CONTACT: Final = "Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>"


class Flow:
    """A scenario under construction; every step returns it. `str(flow)` is SIPp's XML."""

    def __init__(
        self, name: str, *, calls: bool, routed: bool = False, who: str = "sipp@[remote_ip]:[remote_port]"
    ) -> None:
        self.name = name
        self._calls = calls
        self._steps: list[str] = []
        self._cseq = 0
        self._invite_cseq = 0
        self._version = 0
        self._variables: set[str] = set()
        self._who = who
        self._routed = routed

    @classmethod
    def caller(cls, name: str, who: str = "sipp@[remote_ip]:[remote_port]") -> Self:
        """The side that begins; its From names `who`."""
        return cls(name, calls=True, who=who)

    @classmethod
    def callee(cls, name: str, *, routed: bool = False) -> Self:
        """The side that begins by expecting. `routed`: behind a proxy that records its route; it
        must answer the INVITE at once then, since SIPp keeps one line of a header only.
        """
        return cls(name, calls=False, routed=routed)

    def __str__(self) -> str:
        used = f'<Reference variables="{",".join(sorted(self._variables))}"/>\n' if self._variables else ""
        steps = "\n".join(self._steps)
        return (
            f'<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="{self.name}">\n{steps}\n{used}</scenario>\n'
        )

    # -- sending --

    def send(self, method: str, *headers: str, sdp: str = "", begins: bool = False) -> Self:
        """A request. `sdp` is the direction it offers ("sendrecv", …); `begins`: outside a dialog, again."""
        if method == "ACK":
            cseq = self._invite_cseq
        else:
            self._cseq = cseq = self._cseq + 1
        if method == "INVITE":
            self._invite_cseq = cseq
        begins = begins or (self._calls and cseq == 1 and method != "ACK")
        uri, far = "sip:[service]@[remote_ip]:[remote_port]", "To: <sip:[service]@[remote_ip]:[remote_port]>"
        if method == "REGISTER":
            uri, far = f"sip:{self._who.partition('@')[2]}", f"To: <sip:{self._who}>"
        if self._calls:
            near = f"From: <sip:{self._who}>;tag=[pid]c[call_number]"
            far += "" if begins else "[peer_tag_param]"
        else:
            near, far = "From:[$to];tag=[pid]a[call_number]", "To:[$from]"
        routes = [] if begins else ["[routes]"]
        lines = [
            f"{method} {uri if begins else '[next_url]'} SIP/2.0",
            "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]",
            *(near, far, "Call-ID: [call_id]", f"CSeq: {cseq} {method}", "Max-Forwards: 70", CONTACT),
            *routes,
            *headers,
        ]
        return self._add(lines, sdp, repeat=method != "ACK")

    def refuse_ack(self) -> Self:
        """The ACK for a refusal: to where the INVITE went."""
        lines = [
            "ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0",
            "[last_Via:]",
            "[last_From:]",
            "[last_To:]",
            *("Call-ID: [call_id]", f"CSeq: {self._invite_cseq} ACK", "Max-Forwards: 70"),
        ]
        return self._add(lines, "", repeat=False)

    def answer(self, status: int, *headers: str, sdp: str = "", invite: bool = False) -> Self:
        """A response to the request that came last, or (`invite`) to the first INVITE, whose tag it makes."""
        if invite:
            echoed = ["Via:[$via]", "From:[$from]", "To:[$to];tag=[pid]a[call_number]", "CSeq:[$cseq]"]
            if self._routed:
                echoed[0] = "[last_Via:]\n[last_Record-Route:]"
        else:
            echoed = ["[last_Via:]", "[last_From:]", "[last_To:]", "[last_CSeq:]"]
        lines = [f"SIP/2.0 {status} Flow", *echoed, "Call-ID: [call_id]", CONTACT, *headers]
        return self._add(lines, sdp, repeat=invite and 200 <= status < 300)

    def _add(self, lines: Sequence[str], sdp: str, *, repeat: bool) -> Self:
        if sdp:
            self._version += 1
            content = SDP.format(version=self._version, direction=sdp)
        else:
            content = "Content-Length: 0\n\n"
        opening = f'<send retrans="{REPEAT_MS}">' if repeat else "<send>"
        text = "\n".join(lines)
        self._steps.append(f"{opening}<![CDATA[\n{text}\n{content}]]></send>")
        return self

    # -- expecting --

    def expect(
        self, what: str | int, *insists: str, lacks: Sequence[str] = (), keep: str = "", anew: bool = False, **how: str
    ) -> Self:
        """A request or a response. It must hold each POSIX regular expression of `insists`, and none of `lacks`.

        `anew`: this INVITE is the one that counts from now on, not the one before.
        `keep` names a header whose value becomes the variable of that name; `how` are further attributes of SIPp's.
        100, 180 and 183 may come before a response to an INVITE unless they are asked for.
        """
        if isinstance(what, int):
            for early in (100, 180, 183):
                if early != what and what >= 180:
                    self._steps.append(f'<recv response="{early}" optional="true"/>')
        first = what == "INVITE" and not self._calls and (anew or "from" not in self._variables)
        actions = [
            self._search(f'search_in="hdr" header="{header}:"', ".*", name) for name, header in KEPT.items() if first
        ]
        if keep:
            actions.append(self._search(f'search_in="hdr" header="{keep}:"', ".*", keep.lower()))
        actions += [self._search('search_in="msg" check_it="true"', one) for one in insists]
        actions += [self._search('search_in="msg" check_it_inverse="true"', one) for one in lacks]
        kind = "response" if isinstance(what, int) else "request"
        more = "".join(f' {name}="{value}"' for name, value in how.items())
        learns = ' rrs="true"' if first or what in {200, 183} else ""
        inside = f"\n<action>\n{chr(10).join(actions)}\n</action>\n" if actions else ""
        self._steps.append(f'<recv {kind}="{what}"{learns}{more}>{inside}</recv>')
        return self

    def _search(self, where: str, pattern: str, variable: str = "") -> str:
        variable = variable or f"found{len(self._variables)}"
        self._variables.add(variable)
        return f'<ereg regexp="{escape(pattern)}" {where} assign_to="{variable}"/>'

    def proves(self, username: str, password: str) -> Self:
        """The request that came last carries the right digest for this account, or the call fails."""
        self._variables |= {"proved"}
        received = self._steps.pop()
        verify = f'<verifyauth assign_to="proved" username="{username}" password="{password}"/>'
        if "</action>" in received:
            received = received.replace("</action>", f"{verify}\n</action>")
        else:
            received = received.replace("</recv>", f"<action>{verify}</action></recv>")
        label = len(self._steps) + 1
        self._steps += [
            received,
            f'<nop next="{label}" test="proved"/>',
            '<nop><action><error message="the digest is wrong"/></action></nop>',
            f'<label id="{label}"/>',
        ]
        return self

    def pause(self, milliseconds: int) -> Self:
        """Wait; anything that comes meanwhile and is not a repetition fails the call."""
        self._steps.append(f'<pause milliseconds="{milliseconds}"/>')
        return self

    def play(self, capture: str) -> Self:
        """Send a pcap file's RTP (needs raw sockets: root). It plays while the next steps go on."""
        self._steps.append(f'<nop><action><exec play_pcap_audio="{capture}"/></action></nop>')
        return self
