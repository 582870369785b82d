"""What must hold for queues, messages and agents: tenants agree, endpoints may be dialled, sounds exist."""

from santral.engine.config.checks.routes import check_message, check_queue, check_sound
from santral.engine.config.draft import Draft, Placed
from santral.engine.config.problems import KeyPath
from santral.engine.config.tables.queues import AgentTable, QueueTable


def check_queues(draft: Draft) -> None:
    for message in draft.messages:
        said = message.table
        draft.refer((*message.path, "tenant"), "tenant", said.tenant)
        for key, sound in (("greeting", said.greeting), ("thanks", said.thanks)):
            if sound is not None:
                check_sound(draft, (*message.path, key), sound, said.tenant)
    for queue in draft.queues:
        draft.refer((*queue.path, "tenant"), "tenant", queue.table.tenant)
        check_waiting(draft, queue)
    owners = {one.table.name: one.table.tenant for one in draft.schedules}
    for schedule in draft.schedules:
        draft.refer((*schedule.path, "tenant"), "tenant", schedule.table.tenant)
    for agent in draft.agents:
        if agent.table.schedule is not None:
            path = (*agent.path, "schedule")
            draft.refer(path, "schedule", agent.table.schedule)
            if owners.get(agent.table.schedule, agent.table.tenant) != agent.table.tenant:
                draft.blame(path, f"schedule {agent.table.schedule} belongs to tenant {owners[agent.table.schedule]}")
        draft.refer((*agent.path, "tenant"), "tenant", agent.table.tenant)
        check_endpoint(draft, agent)
        for place, row in enumerate(agent.table.queues):
            check_queue(draft, (*agent.path, "queues", place), row.queue, agent.table.tenant)
        if agent.table.confirm_sound is not None:
            check_sound(draft, (*agent.path, "confirm_sound"), agent.table.confirm_sound, agent.table.tenant)
        if agent.table.confirm is not None and agent.table.connection == "persistent":
            draft.blame((*agent.path, "confirm"), "means nothing for a leg that stays up")


def check_waiting(draft: Draft, queue: Placed[QueueTable]) -> None:
    """What callers hear is there, where they go on to, too; a key does one thing."""
    row, path = queue.table, queue.path
    sounds: list[tuple[KeyPath, str | None]] = [((*path, "music"), row.music)]
    sounds += [((*path, "whisper", number), file) for number, file in enumerate(row.whisper)]
    if row.announce is not None:
        sounds += [((*path, "announce", "files", number), file) for number, file in enumerate(row.announce.files)]
    if row.callback is not None:
        sounds += [
            ((*path, "callback", "offer"), row.callback.offer),
            ((*path, "callback", "thanks"), row.callback.thanks),
        ]
        if row.callback.key in row.exit_keys:
            draft.blame((*path, "callback", "key"), f"{row.callback.key} leaves the queue already (exit_keys)")
        if row.answer == "agent":
            draft.blame((*path, "callback"), 'callers press keys only when they are answered: answer = "join"')
    for place, sound in sounds:
        if sound is not None:
            check_sound(draft, place, sound, row.tenant)
    for number, rule in enumerate(row.overflow):
        if rule.queue is not None:
            check_queue(draft, (*path, "overflow", number, "queue"), rule.queue, row.tenant)
            if rule.queue == row.name:
                draft.blame((*path, "overflow", number, "queue"), "leads back to itself")
        if rule.message is not None:
            check_message(draft, (*path, "overflow", number, "message"), rule.message, row.tenant)
    check_message_keys(draft, queue)
    if row.answer == "agent" and (row.exit_keys or row.message_keys or row.announce):
        draft.warn((*path, "answer"), "callers who are not answered hear and press nothing")


def check_message_keys(draft: Draft, queue: Placed[QueueTable]) -> None:
    """Keys lead to a message where there is one, and a key does one thing."""
    row, path = queue.table, queue.path
    if row.message is not None:
        check_message(draft, (*path, "message"), row.message, row.tenant)
    elif row.message_keys:
        draft.blame((*path, "message_keys"), "needs a message")
    taken = row.exit_keys + ("" if row.callback is None else row.callback.key)
    for key in row.message_keys:
        if key in taken:
            draft.blame((*path, "message_keys"), f"{key} does something else already (exit_keys, callback)")
            break


def check_endpoint(draft: Draft, agent: Placed[AgentTable]) -> None:
    """A user or trunk of the tenant, or an address that may be dialled at all."""
    row, path = agent.table, (*agent.path, "endpoint")
    end = row.endpoint
    if end.kind == "user":
        if not any(one.table.name == end.name and one.table.tenant == row.tenant for one in draft.users):
            draft.blame(path, f"there is no user {end.name} of tenant {row.tenant}")
    elif end.kind == "trunk":
        draft.refer(path, "trunk", end.name)
        trunk = draft.trunk_named.get(end.name)
        if trunk is not None and trunk.tenant != row.tenant and not trunk.shared:
            draft.blame(path, f"trunk {trunk.name} belongs to tenant {trunk.tenant} and is not shared")
        if trunk is not None and not trunk.targets:
            draft.blame(path, f"trunk {trunk.name} has no targets")
    elif draft.sip is not None and not draft.sip.dial_networks:
        draft.blame(path, "sip.dial_networks names no network that may be dialled")
    if row.interface is not None:
        draft.refer((*agent.path, "interface"), "interface", row.interface)
