"""The ledger of a board that keeps too little, over memory, a file and a server."""

from __future__ import annotations

import asyncio
import random

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect

from essence.config import StoreSettings
from essence.errors import ConfigError
from essence.store import open_store, schema
from essence.tasks.far.ledger import MIGRATIONS, Ending, Grant, metadata, open_ledger
from tests.store_cases import SETTINGS

BOARD = "http://board:8004/mcp"
LEASE_S = 30.0


def of(url: str) -> StoreSettings:
    return SETTINGS.model_copy(update={"store_url": url, "store_deadline_s": 30.0})


@pytest.fixture
async def ledger(store_url, clock):
    async with open_ledger(BOARD, of(store_url), clock.clock()) as opened:
        yield opened


async def test_a_key_is_one_maker_s_until_the_task_is_known(ledger, clock):
    assert await ledger.task_of("k") is None
    assert await ledger.begin("k", "one", lease_s=LEASE_S)
    assert not await ledger.begin("k", "two", lease_s=LEASE_S)
    assert await ledger.begin("l", "two", lease_s=LEASE_S)
    await ledger.give_back("k", "two")  # not two's to give
    assert not await ledger.begin("k", "two", lease_s=LEASE_S)
    await ledger.keep("k", "7")
    await ledger.give_back("k", "one")
    assert await ledger.task_of("k") == "7"


async def test_a_maker_that_was_killed_keeps_nobody_for_long(ledger, clock):
    assert await ledger.begin("k", "one", lease_s=LEASE_S)
    clock.pass_s(LEASE_S)
    assert await ledger.begin("k", "two", lease_s=LEASE_S)


async def test_a_task_is_one_agent_s_until_its_lease_is_over(ledger, clock):
    assert await ledger.take("7", "a", lease_s=LEASE_S) == Grant(1, 1, None)
    assert await ledger.take("7", "b", lease_s=LEASE_S) is None
    assert await ledger.standings(["7", "8"]) == {"7": "held"}
    assert (await ledger.held("a"), await ledger.lapsed()) == (("7",), ())
    clock.pass_s(LEASE_S)
    assert await ledger.standings(["7"]) == {"7": "free"}
    assert await ledger.lapsed() == ("7",)
    assert await ledger.take("7", "b", lease_s=LEASE_S) == Grant(2, 2, "a")
    assert not await ledger.holds("7", 1)
    assert not await ledger.extend("7", 1, lease_s=LEASE_S)
    assert not await ledger.drop("7", 1)
    assert not await ledger.end("7", 1, "done")
    assert await ledger.holds("7", 2)


async def test_an_agent_takes_its_own_task_again_at_once(ledger):
    await ledger.take("7", "a", lease_s=LEASE_S)
    assert await ledger.take("7", "a", lease_s=LEASE_S) == Grant(2, 2, "a")


async def test_an_extended_lease_lasts_from_then_on(ledger, clock):
    grant = await ledger.take("7", "a", lease_s=LEASE_S)
    clock.pass_s(LEASE_S - 1)
    assert await ledger.extend("7", grant.fence, lease_s=LEASE_S)
    clock.pass_s(LEASE_S - 1)
    assert await ledger.take("7", "b", lease_s=LEASE_S) is None


async def test_what_was_given_back_rests(ledger, clock):
    grant = await ledger.take("7", "a", lease_s=LEASE_S)
    assert await ledger.drop("7", grant.fence, pause_s=60)
    assert (await ledger.standings(["7"]), await ledger.lapsed()) == ({"7": "waiting"}, ())
    assert await ledger.take("7", "b", lease_s=LEASE_S) is None
    clock.pass_s(60)
    assert await ledger.lapsed() == ()
    assert await ledger.take("7", "b", lease_s=LEASE_S) == Grant(2, 2, None)


async def test_a_right_that_the_board_did_not_grant_is_no_attempt(ledger):
    grant = await ledger.take("7", "a", lease_s=LEASE_S)
    await ledger.drop("7", grant.fence, counts=False)
    assert await ledger.take("7", "b", lease_s=LEASE_S) == Grant(2, 1, None)


async def test_an_end_is_for_good_and_known_to_be_untold(ledger, clock):
    grant = await ledger.take("7", "a", lease_s=LEASE_S)
    assert await ledger.end("7", grant.fence, "done", "no\0tes")
    assert await ledger.end("7", grant.fence, "done", "said again")
    assert not await ledger.end("7", grant.fence, "failed")
    assert await ledger.standings(["7"]) == {"7": "done"}
    assert (await ledger.held("a"), await ledger.lapsed()) == ((), ())
    for again in (False, True):
        assert await ledger.take("7", "a", lease_s=LEASE_S, again=again) is None
    ending = Ending("7", "a", grant.fence, "done", "notes")
    assert (await ledger.unsettled("a"), await ledger.unsettled("b")) == ((ending,), ())
    clock.pass_s(LEASE_S)
    assert await ledger.unsettled("b") == (ending,)
    assert not await ledger.is_settled("7", grant.fence)
    await ledger.settle("7", grant.fence)
    assert await ledger.is_settled("7", grant.fence)
    assert await ledger.unsettled("b") == ()


async def test_what_failed_is_taken_again_only_where_somebody_says_so(ledger):
    grant = await ledger.take("7", "a", lease_s=LEASE_S)
    await ledger.end("7", grant.fence, "failed", "why")
    await ledger.settle("7", grant.fence)
    assert await ledger.standings(["7"]) == {"7": "failed"}
    assert await ledger.take("7", "b", lease_s=LEASE_S) is None
    assert await ledger.take("7", "b", lease_s=LEASE_S, again=True) == Grant(2, 2, "a")
    assert await ledger.unsettled("b") == ()


async def test_many_are_asked_for_at_once(ledger):
    for task_id in ("1", "999"):
        await ledger.take(task_id, "a", lease_s=LEASE_S)
    assert await ledger.standings(map(str, range(5000))) == {"1": "held", "999": "held"}


async def test_what_is_old_and_told_is_forgotten(ledger, clock):
    done = await ledger.take("1", "a", lease_s=LEASE_S)
    await ledger.end("1", done.fence, "done")
    await ledger.settle("1", done.fence)
    untold = await ledger.take("2", "a", lease_s=LEASE_S)
    await ledger.end("2", untold.fence, "done")
    await ledger.take("3", "a", lease_s=LEASE_S)
    await ledger.begin("k", "one", lease_s=LEASE_S)
    await ledger.keep("k", "7")
    await ledger.prune(30)
    assert await ledger.task_of("k") == "7"
    clock.pass_s(31 * 86400)
    await ledger.prune(30)
    assert (await ledger.standings("123"), await ledger.task_of("k")) == ({"2": "done", "3": "free"}, None)


async def test_each_board_has_a_ledger_of_its_own(durable_url):
    async with open_ledger(BOARD, of(durable_url)) as one, open_ledger("http://other/mcp", of(durable_url)) as other:
        await one.take("7", "a", lease_s=LEASE_S)
        await one.keep("k", "7")
        assert await other.take("7", "b", lease_s=LEASE_S) == Grant(1, 1, None)
        assert await other.task_of("k") is None


async def test_processes_that_share_a_store_never_share_a_task(durable_url):
    async with open_ledger(BOARD, of(durable_url)) as one, open_ledger(BOARD, of(durable_url)) as other:
        wanted = [(ledger, str(task), agent) for task in range(20) for ledger, agent in ((one, "a"), (other, "b"))]
        random.Random(7).shuffle(wanted)
        grants = await asyncio.gather(*(ledger.take(task, agent, lease_s=LEASE_S) for ledger, task, agent in wanted))
        taken = [task for (_, task, _), grant in zip(wanted, grants, strict=True) if grant is not None]
        assert sorted(taken, key=int) == [str(task) for task in range(20)]


async def test_what_is_known_outlives_the_process_and_stands_beside_the_store(durable_url):
    async with open_store(durable_url, SETTINGS), open_ledger(BOARD, of(durable_url)) as ledger:
        await ledger.take("7", "a", lease_s=LEASE_S)
        await ledger.begin("k", "one", lease_s=LEASE_S)
        await ledger.keep("k", "7")
    async with open_ledger(BOARD, of(durable_url)) as ledger, open_store(durable_url, SETTINGS):
        assert await ledger.held("a") == ("7",)
        assert await ledger.task_of("k") == "7"


async def test_the_migrations_make_the_tables_that_the_code_expects(file_url):
    engine = create_engine(file_url)
    with engine.begin() as connection:
        schema.upgrade(connection, MIGRATIONS.newest, MIGRATIONS)
        options = {"version_table": MIGRATIONS.version_table}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
        migrated = {name: inspect(connection).get_indexes(name) for name in metadata.tables}
    engine.dispose()
    at_once = create_engine("sqlite://")
    with at_once.begin() as connection:
        metadata.create_all(connection)
        made = {name: inspect(connection).get_indexes(name) for name in metadata.tables}
    at_once.dispose()
    assert [sorted(one["name"] for one in indexes) for indexes in made.values()] == [
        sorted(one["name"] for one in indexes) for indexes in migrated.values()
    ]


async def test_a_store_that_cannot_be_opened_names_its_setting():
    with pytest.raises(ConfigError, match="STORE_URL"):
        async with open_ledger(BOARD, of("mysql://host/db")):
            pass
