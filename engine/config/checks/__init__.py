"""What must hold between tables. Blames on a `Draft`; changes nothing."""

from santral.engine.config.checks.node import check_node
from santral.engine.config.checks.queues import check_queues
from santral.engine.config.checks.recording import check_recording
from santral.engine.config.checks.routes import check_conferences, check_routes
from santral.engine.config.checks.tls import check_tls
from santral.engine.config.checks.trunks import check_trunks
from santral.engine.config.checks.users import check_users
from santral.engine.config.draft import Draft


def check(draft: Draft) -> None:
    """Look at the whole. Every rule speaks for itself, so that one problem hides no other."""
    check_node(draft)
    check_trunks(draft)
    check_tls(draft)
    check_users(draft)
    check_recording(draft)
    check_conferences(draft)
    check_queues(draft)
    check_routes(draft)
