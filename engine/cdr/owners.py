"""Who decides for the queues of a node: one row each. A token grows with every new owner and never goes back."""

from sqlalchemy import Connection, Engine, and_, case, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from santral.engine.cdr.tables import acd_owners

NOBODY = ""
EVER = 0  # UTC milliseconds: long over


def claim(engine: Engine, name: str, owner: str, run: str, times: tuple[int, int]) -> int | None:
    """The token, if the row is free, has expired, or is of the same owner's earlier run, or this very one; else None.

    `times` are now and how long the claim lasts, in milliseconds. One transaction that begins with a write, so that
    of two who claim at once the second sees what the first has got.
    """
    now, lasts = times
    at = acd_owners.c
    is_mine = and_(at.owner == owner, at.run == run)
    wanted = {"owner": owner, "run": run, "expires": now + lasts}
    taking = (
        update(acd_owners)
        .where(at.name == name, or_(at.expires <= now, and_(at.owner == owner, at.run <= run)))
        .values(token=case((is_mine, at.token), else_=at.token + 1), **wanted)
    )
    with engine.begin() as connection:
        if connection.execute(taking).rowcount == 0:
            insert = (postgresql if engine.dialect.name == "postgresql" else sqlite).insert(acd_owners)
            connection.execute(
                insert.values(name=name, token=1, **wanted).on_conflict_do_nothing(index_elements=["name"])
            )
        mine = select(at.token).where(at.name == name, at.owner == owner, at.run == run)
        found: int | None = connection.execute(mine).scalar_one_or_none()  # drivers do not all count inserted rows
        return found


def renew(engine: Engine, name: str, token: int, expires: int) -> bool:
    """Whether this token is the latest; it lasts until then now."""
    at = acd_owners.c
    with engine.begin() as connection:
        done = connection.execute(update(acd_owners).where(at.name == name, at.token == token).values(expires=expires))
        return done.rowcount == 1


def release(connection: Connection, name: str, token: int) -> None:
    """Nobody has it, and this token is over; unless a later one was given."""
    at = acd_owners.c
    gone = {"owner": NOBODY, "run": NOBODY, "expires": EVER, "token": token + 1}
    connection.execute(update(acd_owners).where(at.name == name, at.token == token).values(**gone))


def is_current(connection: Connection, name: str, token: int) -> bool:
    """Whether nobody has got a later token, nor will before the end of this transaction: the row is written."""
    at = acd_owners.c
    same = update(acd_owners).where(at.name == name, at.token == token).values(token=token)
    return connection.execute(same).rowcount == 1
