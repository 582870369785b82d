"""What must hold for users and for trunks' credentials: whose they are, where they are at home, what they may show."""

from santral.engine.config.checks.trunks import all_sealed, networks_of
from santral.engine.config.convert import home_numbering
from santral.engine.config.draft import Draft, Placed
from santral.engine.config.tables.base import DEFAULT_INTERFACE
from santral.engine.config.tables.peers import TrunkTable, UserTable


def check_users(draft: Draft) -> None:
    check_domains(draft)
    names: set[tuple[str, str]] = set()
    for one in draft.users:
        user, path = one.table, one.path
        draft.refer((*path, "tenant"), "tenant", user.tenant)
        if user.interface is not None:
            draft.refer((*path, "interface"), "interface", user.interface)
        elif ("interface", DEFAULT_INTERFACE) not in draft.known and len(draft.interfaces) > 1:
            draft.blame((*path, "interface"), "is required: there are several interfaces and no default one")
        if (user.tenant, user.name) in names:
            draft.blame((*path, "name"), f"there is another user {user.name} of tenant {user.tenant}")
        names.add((user.tenant, user.name))
        listeners = networks_of(draft).get(user.interface or DEFAULT_INTERFACE, ())
        if user.srtp == "required" and not all_sealed(listeners):
            draft.warn((*path, "srtp"), "the keys may go by signalling that is not encrypted: listen on TLS only")
        for place, codec in enumerate(user.codecs):
            if codec in user.codecs[:place]:
                draft.blame((*path, "codecs", place), f"{codec} is there twice")
        check_home(draft, one)
    for trunk in draft.trunks:
        check_credentials(draft, trunk)
    check_help(draft)


def check_domains(draft: Draft) -> None:
    """An address of record belongs to one tenant."""
    owners: dict[str, str] = {}
    for one in draft.tenants:
        domain = one.table.domain
        if domain is not None and owners.setdefault(domain, one.table.name) != one.table.name:
            draft.blame((*one.path, "domain"), f"{domain} is the domain of tenant {owners[domain]}")


def check_home(draft: Draft, one: Placed[UserTable]) -> None:
    """The tenant has a domain, and the number shown outside is one of its own."""
    user, tenant = one.table, draft.tenant_named.get(one.table.tenant)
    if tenant is None:
        return
    if tenant.domain is None:
        draft.blame((*one.path, "tenant"), f"tenant {tenant.name} needs a domain: users are name@domain")
    if user.number is not None:
        numbering = home_numbering(tenant.country)
        owned = {numbering.read(row.table.number) for row in draft.numbers if row.table.tenant == tenant.name}
        if numbering.read(user.number) not in owned:
            draft.blame((*one.path, "number"), f"{user.number} is no [[number]] of tenant {tenant.name}")


def check_credentials(draft: Draft, one: Placed[TrunkTable]) -> None:
    """A user name and a password go together, and are there where something needs them."""
    trunk, path = one.table, one.path
    if trunk.password is not None and trunk.username is None:
        draft.blame((*path, "username"), "is required beside a password")
    if trunk.username is not None and trunk.password is None:
        draft.blame((*path, "password"), "is required beside a username")
    if trunk.realm is not None and trunk.username is None:
        draft.blame((*path, "realm"), "means nothing without username and password")
    if trunk.register_ and (trunk.username is None or not trunk.targets):
        draft.blame((*path, "register"), "needs targets, username and password")
    if trunk.auth_inbound == "digest" and trunk.username is None:
        draft.blame((*path, "auth_inbound"), "digest needs username and password")
    if trunk.auth_inbound == "digest" and not trunk.accept_from:
        draft.blame((*path, "auth_inbound"), "digest needs accept_from: where such callers may be")


def check_help(draft: Draft) -> None:
    """Users can call for help: their tenant has an emergency trunk, and its numbers are known."""
    for one in draft.trunks:
        if one.table.emergency and not one.table.targets:
            draft.blame((*one.path, "emergency"), "needs targets")
    for tenant in draft.tenants:
        numbers = tenant.table.emergency or tenant.table.country
        ready = any(
            one.table.emergency and (one.table.tenant == tenant.table.name or one.table.shared) for one in draft.trunks
        )
        if tenant.table.emergency and not ready:
            draft.warn((*tenant.path, "emergency"), "no trunk of this tenant has emergency = true")
        if ready and not numbers:
            draft.warn(tenant.path, f"tenant {tenant.table.name}: no emergency numbers without a country or a list")
