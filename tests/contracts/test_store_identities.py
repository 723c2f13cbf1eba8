"""The contract of linked identities, over memory, a file and a server."""

from dataclasses import replace

from essence.dialogue import Address, Person
from essence.outgoing import Identity
from tests.store_cases import ANNA, note

T, D, OTHER = Identity("telegram", "1"), Identity("discord", "77"), Identity("telegram", "2")
DM = Address("discord", "900")


async def test_one_who_is_linked_with_nobody_is_alone(store):
    assert await store.identities.linked(T) == (T,)
    assert not await store.identities.unlink(T)


async def test_linked_identities_are_one_from_either_side(store):
    assert await store.identities.link(T, D) == (D, T)
    assert await store.identities.linked(T) == await store.identities.linked(D) == (D, T)
    assert await store.identities.link(D, T) == (D, T)
    assert await store.identities.linked(OTHER) == (OTHER,)


async def test_links_join_whoever_was_linked_before(store):
    far = Identity("discord", "78")
    await store.identities.link(T, D)
    await store.identities.link(OTHER, far)
    assert set(await store.identities.link(D, far)) == {T, D, OTHER, far}


async def test_an_identity_that_is_unlinked_is_alone_and_the_others_stay_together(store):
    await store.identities.link(T, D)
    await store.identities.link(D, OTHER)
    assert await store.identities.unlink(D)
    assert await store.identities.linked(D) == (D,)
    assert set(await store.identities.linked(T)) == {T, OTHER}


async def test_where_somebody_wrote_last_is_the_newest_private_chat(store):
    dana = Person("77", "Dana")
    assert await store.identities.last_wrote([T, D]) is None
    await store.inbox.receive(note(1))
    await store.inbox.receive(note(2, DM, sender=dana))
    await store.inbox.receive(replace(note(3, Address("telegram", "-5")), private=False))
    assert await store.identities.last_wrote([T, D]) == (D, DM)
    await store.inbox.receive(note(4))
    assert await store.identities.last_wrote([T, D]) == (T, note(4).address)
    assert await store.identities.last_wrote([D]) == (D, DM)
    assert await store.identities.last_wrote([]) is None


async def test_whoever_is_forgotten_is_linked_no_more(store):
    await store.identities.link(T, D)
    await store.inbox.receive(note(1, sender=ANNA))
    await store.conversations.forget("telegram", ANNA.person_id)
    assert await store.identities.linked(D) == (D,)
    assert await store.identities.last_wrote([T]) is None
