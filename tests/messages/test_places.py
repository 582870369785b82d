"""From the configuration of queues to where the distributor sends people on to."""

from santral.engine.acd.settings import Acd, message_in
from santral.engine.config import loads

CONFIG = """
[sip]
listen = ["udp:127.0.0.1:0"]
[[tenant]]
name = "acme"
[[message]]
name = "after-hours"
tenant = "acme"
[[message]]
name = "busy"
tenant = "acme"
[[queue]]
name = "other"
tenant = "acme"
max_wait = 60
overflow = [{ after = 5 }]
[[queue]]
name = "support"
tenant = "acme"
message = "after-hours"
overflow = [
  { position = 3 },
  { after = 10, expected_wait = 60, message = "busy" },
  { after = 20, service_level = 0.5, queue = "other" },
]
"""


def test_a_rule_leads_to_what_it_names_else_to_the_message_of_its_queue() -> None:
    other, support = Acd.of(loads(CONFIG)).settings.queues
    assert [(rule.after, rule.to) for rule in support.overflow] == [
        (0.0, "message:after-hours"), (10.0, "message:busy"), (20.0, "other"),
    ]  # fmt: skip
    assert support.turned_away_to == "message:after-hours"
    assert (other.turned_away_to, other.overflow[0].to) == (None, None)
    assert [message_in(to) for to in ("message:busy", "other", None)] == ["busy", None, None]
