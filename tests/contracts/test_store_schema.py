"""Databases are brought up to date when they are opened, and what can't be opened says why."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event, insert, text
from sqlalchemy.ext.asyncio import create_async_engine

import essence.store
from essence.dialogue import Address, Receipt, Reply, Turn
from essence.errors import ConfigError, StoreError, TooSlow, Unreachable
from essence.outgoing import Filter, Identity
from essence.store import open_store, schema
from essence.store.records import message_json
from essence.store.tables import REVISION, chats, inbox, metadata
from tests.store_cases import HERE, SETTINGS, START, note

MIGRATIONS = Path(essence.store.__file__).parent / "migrations"


def differences(connection) -> list[object]:
    return compare_metadata(MigrationContext.configure(connection), metadata)


async def test_a_new_store_has_the_tables_that_the_code_expects(durable_url):
    async with open_store(durable_url, SETTINGS) as store:
        assert await store._database.run(differences) == []


def in_sqlite(connection) -> set[tuple[object, ...]]:
    """Every column and every index of a file."""
    made = connection.exec_driver_sql("SELECT type, name, tbl_name, sql FROM sqlite_master").all()
    names = [row.name for row in made if row.type == "table"]
    indexes = {(row.name, row.tbl_name, row.sql) for row in made if row.type == "index"}
    columns = {(name, *row[1:]) for name in names for row in connection.exec_driver_sql(f"PRAGMA table_info({name})")}
    return indexes | columns


async def test_a_new_store_is_the_one_that_its_migrations_make(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path}/migrated.db")
    with engine.begin() as connection:
        schema.upgrade(connection, REVISION)
        migrated = in_sqlite(connection)
    engine.dispose()
    async with open_store(f"sqlite:///{tmp_path}/new.db", SETTINGS) as store:
        assert await store._database.run(in_sqlite) == migrated


async def test_the_migrations_make_the_tables_on_a_server_too(postgresql):
    engine = create_async_engine(postgresql.new_database().replace("postgresql:", "postgresql+asyncpg:"))
    async with engine.begin() as connection:
        await connection.run_sync(schema.upgrade, REVISION)
        assert await connection.run_sync(differences) == []
    await engine.dispose()


def test_the_newest_migration_is_the_one_that_the_code_expects():
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == REVISION


def test_there_are_no_other_tables():
    chat = {"chats", "inbox", "outbox", "turns", "preferences", "pairings"}
    message_api = {"messages", "api_keys", "identities"}
    agent = {"steps", "approvals", "memories", "reminders"}
    assert set(metadata.tables) == chat | message_api | agent


async def test_a_store_of_the_first_revision_is_opened_with_what_it_holds(file_url):
    engine = create_engine(file_url)
    with engine.begin() as connection:
        schema.upgrade(connection, "0001")
        connection.execute(insert(chats).values(chat="telegram/7", open=1, turn=1, fence=0, touched_at=START))
        row = {"key": note(1).key, "chat": "telegram/7", "person": "telegram/1", "message": message_json(note(1))}
        times = {"sent_at": START, "received_at": START, "deadline_at": START}
        connection.execute(insert(inbox).values(**row, **times, attempts=0, fence=0, reason=""))
    engine.dispose()
    async with open_store(file_url, SETTINGS) as store:
        assert await store._database.run(schema.revision) == REVISION
        assert await store.conversations.reset(HERE) == 0
        assert (await store.inbox.claim("w", lease_s=30)).message == note(1)


async def test_what_the_second_revision_kept_has_its_platform_and_whole_replies_afterwards(durable_url):
    """The tables are emptied of what came later and filled as the second revision did it."""
    message = note(1, Address("discord", "a/b", "t"))
    async with open_store(durable_url, SETTINGS) as store:
        await store.inbox.receive(message)
        await store.outbox.intend(f"{message.key}:0", message.address, Reply("x", spoken="y"))
        await store.conversations.append(message.address, [Turn("user", "hi")], key="k", person_id="1")
        await store._database.run(as_of_the_second_revision)
    async with open_store(durable_url, SETTINGS) as store:
        assert await store._database.run(differences) == []
        assert [part.reply for part in await store.outbox.pending("discord")] == [Reply("x")]
        assert await store.inbox.newest("discord") == (message,)
        claim = await store.inbox.claim("w", lease_s=30, platform="discord")
        assert (claim.message, claim.record) == (message, "")
        await store.inbox.finish(claim, "answered", record="r")
        assert await store.conversations.read(message.address, turns=9, chars=99) == (Turn("user", "hi"),)


def as_of_the_second_revision(connection) -> None:
    added = {
        "chats": ("platform", "record"),
        "inbox": ("platform", "told_at", "private"),
        "outbox": ("entities", "buttons", "spoken"),
    }
    statements = [f"DROP INDEX {index}" for index in ("chats_platform", "inbox_overdue", "inbox_untold")]
    statements += [f"DROP INDEX {index}" for index in ("inbox_newest", "inbox_parked", "inbox_private", "turns_line")]
    statements += [f"ALTER TABLE {table} DROP COLUMN {name}" for table, names in added.items() for name in names]
    statements += [f"DROP TABLE {table}" for table in ("steps", "approvals", "memories", "reminders")]
    statements += [f"DROP TABLE {table}" for table in ("messages", "api_keys", "identities")]
    statements += ["DROP TABLE pairings", "CREATE INDEX turns_line ON turns (chat, id)"]
    statements += ["CREATE INDEX inbox_overdue ON inbox (deadline_at) WHERE outcome IS NULL"]
    statements += ["UPDATE alembic_version SET version_num = '0002'"]
    for statement in statements:
        connection.exec_driver_sql(statement)


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda store: store.inbox.claim("w", lease_s=30, platform="telegram"), "chats_platform (platform=?)"),
        (lambda store: store.inbox.claim("w", lease_s=30), "chats_ready"),
        (lambda store: store.inbox.overdue(platform="telegram"), "inbox_overdue (platform=? AND deadline_at<?)"),
        (lambda store: store.inbox.overdue(), "inbox_overdue (platform=? AND deadline_at<?)"),
        (lambda store: store.inbox.newest("telegram"), "inbox_newest (chat=?)"),
        (lambda store: store.inbox.parked("telegram"), "inbox_untold (platform=?)"),
        (lambda store: store.inbox.unpark(HERE), "inbox_parked (chat=?)"),
        (lambda store: store.inbox.waiting(HERE), "inbox_line (chat=?)"),
        (lambda store: store.outbox.pending("telegram"), "outbox_pending (platform=?)"),
        (lambda store: store.messages.claim("telegram", "w", lease_s=30), "messages_due (platform=?)"),
        (lambda store: store.messages.claim("telegram", "w", lease_s=30), "messages_line (chat=? AND id<?)"),
        (lambda store: store.messages.list(Filter(author="a"), limit=9), "messages_author (author=?)"),
        (lambda store: store.messages.list(Filter(chat_id="7"), limit=9), "messages_chat (chat_id=?)"),
        (lambda store: store.messages.list(Filter(person_id="7"), limit=9), "messages_person (person=?)"),
        (lambda store: store.identities.last_wrote([Identity("telegram", "1")]), "inbox_private (person=?)"),
    ],
)
async def test_questions_follow_an_index(file_url, ask, index):
    async with open_store(file_url, SETTINGS) as store:
        run, plans = store._database.run, []

        def explain(connection, cursor, statement, parameters, context, executemany):
            if not statement.startswith(("EXPLAIN", "PRAGMA", "BEGIN")):
                plan = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
                plans.extend(row[3] for row in plan)

        def explained(work):
            def done(connection):
                event.listen(connection, "before_cursor_execute", explain)
                return work(connection)

            return done

        store._database.run = lambda work, *, lasting=True: run(explained(work), lasting=lasting)
        await ask(store)
        assert any(index in plan for plan in plans), plans
        assert not [plan for plan in plans if plan.startswith(("SCAN inbox", "SCAN messages")) and "INDEX" not in plan]


async def test_a_store_of_a_newer_june_is_refused_and_left_as_it_is(durable_url):
    async with open_store(durable_url, SETTINGS) as store:
        newer = text("UPDATE alembic_version SET version_num = '9999'")
        await store._database.run(lambda connection: connection.execute(newer).rowcount)
    with pytest.raises(ConfigError, match="newer June"):
        async with open_store(durable_url, SETTINGS):
            pass


async def test_many_may_open_a_new_store_at_once(durable_url):
    code = (
        "import asyncio, sys; from essence.store import open_store; from essence.config import StoreSettings\n"
        "async def main():\n"
        "    async with open_store(sys.argv[1], StoreSettings()) as store: print(await store.inbox.backlog())\n"
        "asyncio.run(main())"
    )
    command = [sys.executable, "-c", code, durable_url]
    pipe = asyncio.subprocess.PIPE
    processes = [await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe) for _ in range(3)]
    for process in processes:
        out, err = await process.communicate()
        assert (out.strip(), err) == (b"()", b"")


@pytest.mark.parametrize("url", ["", "redis://x", "sqlite://", "sqlite:///:memory:", "postgresql://u:secret@h:port/db"])
async def test_a_url_that_can_t_be_used_is_explained_without_its_password(url):
    with pytest.raises(ConfigError, match="STORE_URL") as caught:
        async with open_store(url, SETTINGS):
            pass
    assert "secret" not in str(caught.value)


async def test_a_server_that_is_not_there_is_unreachable():
    with pytest.raises(Unreachable):
        async with open_store("postgresql://june@127.0.0.1:1/june", SETTINGS):
            pass


async def test_a_database_that_is_not_there_is_named_as_such(postgresql):
    with pytest.raises(ConfigError, match="createdb"):
        async with open_store(postgresql.new_database().replace("@/june", "@/none"), SETTINGS):
            pass


async def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path):
    path = tmp_path / "june.db"
    path.write_text("Dear diary, " * 1000)
    with pytest.raises(StoreError, match="no SQLite database"):
        async with open_store(f"sqlite:///{path}", SETTINGS):
            pass
    assert path.read_text() == "Dear diary, " * 1000


async def test_a_folder_that_can_t_be_written_is_named():
    with pytest.raises(StoreError, match="/proc/june"):
        async with open_store("sqlite:////proc/june/june.db", SETTINGS):
            pass


async def test_a_full_disk_is_named_and_what_was_accepted_is_kept(file_url):
    async with open_store(file_url, SETTINGS) as store:

        async def allow(pages: str) -> int:
            pragma = f"PRAGMA max_page_count={pages}"
            return await store._database.run(lambda connection: connection.exec_driver_sql(pragma).scalar_one())

        async def receive(count: int) -> list[bool | BaseException]:
            large = (note(number, text="x" * 10_000) for number in range(count))
            return await asyncio.gather(*map(store.inbox.receive, large), return_exceptions=True)

        await allow("150")
        results = await receive(90)
        accepted = [result for result in results if result is True]
        refused = [result for result in results if result is not True]
        assert accepted
        assert refused
        assert all(isinstance(error, StoreError) and "disk is full" in str(error) for error in refused)
        assert len(await store.inbox.waiting(HERE)) == len(accepted)
        await allow("100000")
        assert sum(1 for result in await receive(90) if result is True) == len(refused)


async def test_a_read_only_store_is_named_and_what_was_accepted_is_kept(file_url):
    async with open_store(file_url, SETTINGS) as store:
        await store.inbox.receive(note(1))
        await store._database.run(lambda connection: connection.exec_driver_sql("PRAGMA query_only=1"))
        with pytest.raises(StoreError, match="read-only"):
            await store.inbox.receive(note(2))
    async with open_store(file_url, SETTINGS) as store:
        assert await store.inbox.waiting(HERE) == (note(1),)


async def test_a_store_that_another_process_holds_is_too_slow_not_broken(file_url):
    impatient = SETTINGS.model_copy(update={"store_deadline_s": 0.1})
    async with open_store(file_url, impatient) as store:
        engine = create_engine(file_url)
        with engine.connect() as other:
            other.exec_driver_sql("BEGIN IMMEDIATE")
            with pytest.raises(TooSlow):
                await store.inbox.receive(note(1))
        engine.dispose()
        await store.inbox.receive(note(1))
        assert await store.inbox.waiting(HERE) == (note(1),)


async def test_a_file_of_conversations_is_readable_by_its_owner_alone(file_url):
    async with open_store(file_url, SETTINGS):
        folder = Path(file_url.removeprefix("sqlite:///")).parent
        assert {path.stat().st_mode & 0o077 for path in folder.glob("june.db*")} == {0}


async def test_what_was_committed_is_on_the_disk(file_url):
    async with open_store(file_url, SETTINGS) as store:
        pragmas = {}
        for name in ("journal_mode", "synchronous"):
            read = f"PRAGMA {name}"
            pragmas[name] = await store._database.run(lambda c, read=read: c.exec_driver_sql(read).scalar_one())
        assert pragmas == {"journal_mode": "wal", "synchronous": 2}  # 2 is FULL


async def test_only_what_must_outlive_a_power_cut_waits_for_the_disk(file_url, monkeypatch):
    async with open_store(file_url, SETTINGS) as store:
        run, modes = store._database.run, []

        async def noted(work, *, lasting=True):
            def read(connection):
                modes.append(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())
                return work(connection)

            return await run(read, lasting=lasting)

        monkeypatch.setattr(store._database, "run", noted)
        await store.inbox.receive(note(1))
        claim = await store.inbox.claim("w", lease_s=30)
        await store.inbox.extend(claim, lease_s=30)
        await store.conversations.append(HERE, [Turn("user", "x")], key="k", person_id="1")
        await store.outbox.dispatch("k:0", HERE, Reply("x"), sender_id="w", lease_s=30, under=claim)
        await store.outbox.sent("k:0", Receipt("1", START))
        await store.inbox.finish(claim, "answered")
        assert modes == [2, 1, 1, 1, 2, 2, 2]  # 1 is NORMAL


def test_naming_the_store_loads_no_database_library():
    code = "import sys, essence.store; print({'sqlalchemy', 'alembic', 'asyncpg'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
