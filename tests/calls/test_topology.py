"""Topology hiding: every header of the IANA registry is sent through, and exactly those that a key lets cross do."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

Start = Callable[..., Awaitable[Any]]

MARK = "leak.example"  # stands in every value: nothing of it may reach the other side
NUMBER = "+905551112233"

# The registry of SIP header fields (RFC 3261 and after), but for those that the peers of these tests write themselves,
# and those that make a message a different request or demand something of us (Require, Replaces, Session-Expires, ...).
REGISTRY = [
    "Accept", "Accept-Contact", "Accept-Encoding", "Accept-Language", "Accept-Resource-Priority",
    "Additional-Identity", "Alert-Info", "Allow", "Allow-Events", "Answer-Mode", "Attestation-Info",
    "Authentication-Info", "Authorization", "Call-Info", "Cellular-Network-Info", "Content-Disposition",
    "Content-Encoding", "Content-ID", "Content-Language", "DC-Info", "Date", "Diversion", "Encryption",
    "Error-Info", "Feature-Caps", "Flow-Timer", "Geolocation", "Geolocation-Error", "Geolocation-Routing", "Hide",
    "History-Info", "Identity", "Identity-Info", "In-Reply-To", "Info-Package", "Max-Breadth", "MIME-Version",
    "Min-Expires", "Min-SE", "Organization", "Origination-Id", "P-Access-Network-Info", "P-Answer-State",
    "P-Asserted-Identity", "P-Asserted-Service", "P-Associated-URI", "P-Called-Party-ID", "P-Charge-Info",
    "P-Charging-Function-Addresses", "P-Charging-Vector", "P-DCS-Billing-Info", "P-DCS-LAES", "P-DCS-OSPS",
    "P-DCS-Redirect", "P-DCS-Trace-Party-ID", "P-Early-Media", "P-Media-Authorization", "P-Preferred-Identity",
    "P-Preferred-Service", "P-Private-Network-Indication", "P-Profile-Key", "P-Refused-URI-List", "P-Served-User",
    "P-User-Database", "P-Visited-Network-ID", "Path", "Permission-Missing", "Policy-Contact", "Policy-ID",
    "Priority", "Priority-Share", "Priority-Verstat", "Priv-Answer-Mode", "Privacy", "Proxy-Authenticate",
    "Proxy-Authorization", "RAck", "RSeq", "Reason", "Reason-Phrase", "Recv-Info", "Referred-By", "Refer-Events-At",
    "Refer-Sub", "Refer-To", "Reject-Contact", "Relayed-Charge", "Reply-To", "Request-Disposition",
    "Resource-Priority", "Resource-Share", "Response-Key", "Response-Source", "Restoration-Info", "Retry-After",
    "SIP-ETag", "SIP-If-Match", "Security-Client", "Security-Server", "Security-Verify", "Server",
    "Service-Interact-Info", "Service-Route", "Session-ID", "Subject", "Subscription-State", "Supported",
    "Suppress-If-Match", "Target-Dialog", "Timestamp", "Trigger-Consent", "Unsupported", "User-Agent",
    "User-to-User", "WWW-Authenticate", "Warning", "X-Anything", "Remote-Party-ID", "P-Anything",
]  # fmt: skip

VALUES = {  # where the value has to be readable to be worth anything; {mark} is in all others
    "Accept": f"application/sdp, text/{MARK}",
    "Diversion": f'"{MARK}" <sip:+905320000001@{MARK}>;reason=user-busy',
    "History-Info": f"<sip:+905320000001@{MARK}>;index=1",
    "P-Asserted-Identity": f"<sip:{NUMBER}@{MARK}>",
    "P-Preferred-Identity": f"<sip:{NUMBER}@{MARK}>",
    "Remote-Party-ID": f"<sip:{NUMBER}@{MARK}>;party=calling;screen=yes",
    "Privacy": "none",
    "Reason": f'Q.850;cause=16;text="{MARK}"',
    "Session-ID": "ab30317f1a784dc48ff824d0d3715d86",
    "User-to-User": f'"{MARK}"',
    "Content-Disposition": "session",
    "Content-Encoding": "identity",
    "MIME-Version": "1.0",
    "Content-Language": "en",
    "Max-Breadth": "60",
    "Min-SE": "90",
    "RSeq": "77",
    "Retry-After": "5",
    "Supported": "x-leak",
    "Allow": "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO",
    "Refer-Sub": "false",
    "Target-Dialog": f"{MARK};local-tag=a;remote-tag=b",
}
OF_AN_INVITE = {
    "Via", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "Contact", "Allow", "User-Agent", "Content-Type",
    "Content-Length",
}  # fmt: skip
OF_A_RESPONSE = {
    "Via",
    "Record-Route",
    "From",
    "To",
    "Call-ID",
    "CSeq",
    "Contact",
    "Allow",
    "Server",
    "Content-Type",
    "Content-Length",
}
OF_A_BYE = {"Via", "Route", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "User-Agent", "Content-Length", "Reason"}
BY_THE_STACK = {
    "Supported",
    "Require",
    "Session-Expires",
    "Min-SE",
    "Accept",
    "Allow-Events",
    "RSeq",
}  # if at all, ours

OPEN = """
trust = true
identity = "pai"
diversion = "diversion"
user_to_user = true
session_id = "pass"
[[trunk.header]]
direction = "out"
action = "copy"
name = "X-Anything"
"""


def all_of_them() -> str:
    return "".join(f"{name}: {VALUES.get(name, f'{MARK};leak=1')}\r\n" for name in REGISTRY)


def names(message: Any) -> set[str]:
    return {line.partition(":")[0] for line in message.lines}


def whole(message: Any) -> str:
    """The message but for what a response or an in-dialog request has to copy from its own side."""
    copied = r"(Via|Route|Record-Route):" if message.method != "INVITE" else r"$."
    lines = [line for line in message.lines if not re.match(copied, line)]
    return "\n".join((message.start, *lines, message.body))


def clean(bench: Any, message: Any, seen_from: Any) -> None:
    """Nothing of the other side: no mark, no address, no Call-ID, no description of its own."""
    text = whole(message)
    assert MARK not in text
    assert "x-leak" not in text
    other = bench.right if seen_from is bench.left else bench.left
    assert f":{other.port}" not in text
    assert f"o={other.name}" not in text
    assert f"@{other.name}\n" not in text  # its Call-ID


async def carry(bench: Any) -> dict[str, Any]:
    """One call with every header in its INVITE, 180, 200 and BYE; what the other side saw of each."""
    routes = f"Record-Route: <sip:127.0.0.1:{bench.left.port};lr;p={MARK}>\r\n"
    ours = await bench.left.call("100", headers=all_of_them() + routes)
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 180, headers=all_of_them())
    ringing = await bench.left.expect(180)
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0 101"), headers=all_of_them())
    await bench.right.expect("ACK")
    answer = await bench.left.expect(200)
    await ours.ack(answer)
    await bench.right.dialog_of(invite).request("BYE", headers=all_of_them())
    await bench.right.expect(200)
    bye = await bench.left.expect("BYE")
    await bench.left.answer(bye, 200)
    return {"invite": invite, "ringing": ringing, "answer": answer, "bye": bye}


async def test_by_default_nothing_crosses(start: Start) -> None:
    bench = await start()
    seen = await carry(bench)
    assert names(seen["invite"]) - BY_THE_STACK == OF_AN_INVITE
    assert names(seen["ringing"]) - BY_THE_STACK == OF_A_RESPONSE - {"Content-Type"}
    assert names(seen["answer"]) - BY_THE_STACK == OF_A_RESPONSE
    assert names(seen["bye"]) == OF_A_BYE
    assert seen["bye"].get("Reason") == "Q.850;cause=16"
    for name, message in seen.items():
        clean(bench, message, bench.right if name == "invite" else bench.left)
    assert (await bench.record())["x_headers"] == {}


async def test_with_every_key_on_exactly_these_cross(start: Start) -> None:
    bench = await start(left_keys=OPEN, right_keys=OPEN)
    seen = await carry(bench)
    crossing = {"P-Asserted-Identity", "P-Early-Media", "Diversion", "User-to-User", "Session-ID", "X-Anything"}
    assert names(seen["invite"]) - BY_THE_STACK == OF_AN_INVITE | crossing
    told = {"P-Asserted-Identity", "User-to-User", "Session-ID"}
    assert names(seen["answer"]) - BY_THE_STACK == OF_A_RESPONSE | told
    assert names(seen["bye"]) == OF_A_BYE | {"User-to-User"}
    invite = seen["invite"]
    assert invite.get("P-Asserted-Identity") == f"<sip:{NUMBER}@127.0.0.1>"
    named = f'"{MARK}" <sip:+905320000001@127.0.0.1>;reason=user-busy;counter=1;privacy=off'  # a name is not topology
    assert invite.get("Diversion") == named
    assert invite.get("X-Anything") == f"{MARK};leak=1"
    assert MARK not in "".join(line for line in invite.lines if not re.match("X-Anything|User-to-User|Diversion", line))


async def test_a_loop_of_diversions_is_refused(start: Start) -> None:
    bench = await start()
    await bench.left.call("100", headers="Diversion: <sip:1@h>;counter=6\r\n")
    await bench.left.expect(482)
    await bench.right.hears_nothing(0.1)


async def test_a_hidden_caller_stays_hidden(start: Start) -> None:
    """From the callee, events, the record and `call.get`; a trusted callee is told, marked as private."""
    bench = await start(left_keys="trust = true", right_keys='identity = "pai"')
    hiding = f"P-Asserted-Identity: <sip:{NUMBER}@left.example>\r\nPrivacy: id\r\n"
    await bench.left.call("100", headers=hiding)
    invite = await bench.right.expect("INVITE")
    assert invite.get("From").startswith('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=')
    assert invite.get("Privacy") == "id"
    (call,) = bench.engine.calls()
    assert NUMBER not in "\n".join((*invite.lines, str(call.snapshot()), str(bench.events())))
    await bench.right.answer(invite, 486)
    await bench.left.expect(486)
    record = await bench.record()
    assert record["caller"] == "anonymous"
    assert NUMBER not in str(record)


async def test_a_trusted_callee_is_told_who_hides(start: Start) -> None:
    bench = await start(left_keys="trust = true", right_keys='trust = true\nidentity = "pai"')
    await bench.left.call("100", headers=f"P-Asserted-Identity: <tel:{NUMBER}>\r\nPrivacy: id\r\n")
    invite = await bench.right.expect("INVITE")
    assert "anonymous.invalid" in invite.get("From")
    assert invite.get("P-Asserted-Identity") == f"<sip:{NUMBER}@127.0.0.1>"
    assert invite.get("Privacy") == "id"


async def test_numbers_are_read_and_written(start: Start) -> None:
    bench = await start(config=NUMBERS)
    await bench.left.call("03125550100")
    invite = await bench.right.expect("INVITE")
    assert invite.start.startswith("INVITE sip:903125550100@")
    assert ";user=phone" in invite.start
    assert invite.get("From").startswith('"Desk" <sip:2001@127.0.0.1>;tag=')  # the name of our own number
    (call,) = bench.engine.calls()
    assert call.facts.called == "+903125550100"
    assert call.plan.route == "ours"
    assert call.snapshot()["custom"] == {"desk": "front"}
    started = next(event for event in bench.events() if event["type"] == "call.started")
    assert (started["custom"], started["x_headers"]) == ({"desk": "front"}, {})


async def test_chosen_headers_are_kept_with_the_call(start: Start) -> None:
    bench = await start(left_keys='x_headers = ["X-Campaign", "X-Missing"]')
    await bench.left.call("603", headers="x-campaign: spring\r\nX-Other: 1\r\n")
    await bench.left.expect(603)
    record = await bench.record()
    assert record["x_headers"] == {"X-Campaign": "spring"}
    ended = next(event for event in bench.events() if event["type"] == "call.ended")
    assert (ended["x_headers"], ended["linked"]) == ({"X-Campaign": "spring"}, record["id"])


NUMBERS = """
[engine]
node = "test"
data_dir = "{folder}/data"
[sip]
listen = ["udp:127.0.0.1:0"]
[rtp]
ports = "0"
[[tenant]]
name = "acme"
country = "TR"
[[trunk]]
name = "left"
tenant = "acme"
accept_from = [{left_from}]
number_format = "national"
[[trunk]]
name = "right"
tenant = "acme"
targets = {targets}
number_format = "international"
user_phone = true
[[number]]
number = "0312 555 01 00"
tenant = "acme"
route = "ours"
[[number]]
number = "2001"
tenant = "acme"
route = "ours"
caller_name = "Desk"
[[route]]
name = "ours"
from_trunk = "left"
called = "\\\\+903125550100"
custom = {{ desk = "front" }}
destinations = [{{ trunk = "right" }}]
""".replace("0312 555 01 00", "03125550100")
