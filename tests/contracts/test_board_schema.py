"""The board's tables: made by migrations, followed by indices, and history that stays as it was written."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import delete, event, text, update
from sqlalchemy.exc import SQLAlchemyError

from essence.config import BoardSettings
from essence.errors import ConfigError, JuneError
from essence.tasks import arguments
from essence.tasks.arguments import ClaimNext, CreateTask, ListAvailable
from essence.tasks.board import open_own
from essence.tasks.registry import TOOLS
from essence.tasks.tables import MIGRATIONS, history, metadata

SETTINGS = BoardSettings(_env_file=None)
WORK = CreateTask(title="t", task_type="concrete", task_instruction="i", verification_instruction="v")


def ours(_object, name, kind, _reflected, _compared) -> bool:
    """Not what the database itself keeps for the full-text index, nor what isn't the board's."""
    return not (name.startswith("tasks_text") or (kind == "column" and name == "text") or name == "alembic_version")


def differences(connection) -> list[object]:
    options = {"version_table": MIGRATIONS.version_table, "include_object": ours}
    return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)


async def test_the_migrations_make_the_tables_that_the_code_expects(durable_url):
    async with open_own(durable_url, SETTINGS) as board:
        assert await board.database.run(differences) == []


def test_the_newest_migration_is_the_one_that_the_code_expects():
    assert ScriptDirectory(str(MIGRATIONS.folder)).get_current_head() == MIGRATIONS.newest


async def test_project_1_is_there_from_the_start_and_once(store_url):
    for _ in range(1 if store_url == "memory://" else 2):
        async with open_own(store_url, SETTINGS) as board:
            listed = await board.ask("list_projects", arguments.Nothing(), "a")
            assert [project["id"] for project in listed["projects"]] == [1]


async def test_the_next_project_is_the_second(store_url):
    async with open_own(store_url, SETTINGS) as board:
        made = await board.ask("create_project", arguments.CreateProject(name="x"), "a")
        assert made["project_id"] == 2


async def test_a_board_and_a_store_may_share_a_database(durable_url):
    from essence.store import open_store
    from tests.store_cases import SETTINGS as STORE_SETTINGS

    async with open_store(durable_url, STORE_SETTINGS), open_own(durable_url, SETTINGS) as board:
        await board.ask("create_task", WORK, "a")
    async with open_own(durable_url, SETTINGS) as board, open_store(durable_url, STORE_SETTINGS):
        assert (await board.ask("claim_next", ClaimNext(), "a"))["task"] is not None


async def test_a_board_of_a_newer_june_is_refused(durable_url):
    async with open_own(durable_url, SETTINGS) as board:
        newer = text(f"UPDATE {MIGRATIONS.version_table} SET version_num = '9999'")
        await board.database.run(lambda connection: connection.execute(newer).rowcount)
    with pytest.raises(ConfigError, match=r"TODORAMA_URL.*newer June"):
        async with open_own(durable_url, SETTINGS):
            pass


@pytest.mark.parametrize("change", [update(history).values(notes="x"), delete(history)], ids=["changed", "deleted"])
async def test_history_is_not(store_url, change):
    async with open_own(store_url, SETTINGS) as board:
        await board.ask("create_task", WORK, "a")
        with pytest.raises((JuneError, SQLAlchemyError), match="append-only"):
            await board.database.run(lambda connection: connection.execute(change).rowcount)
        feed = await board.ask("get_activity_feed", arguments.ActivityFeed(), "a")
        assert feed["feed"][0]["notes"] is None


QUESTIONS = [
    ("claim_next", ClaimNext(), "tasks_line (line=?)"),
    ("claim_next", ClaimNext(project_id=1), "tasks_project_line (project_id=? AND line=?)"),
    ("claim_next", ClaimNext(agent_type="verification"), "tasks_unverified"),
    ("list_available_tasks", ListAvailable(agent_type="implementation"), "tasks_line (line=?)"),
    ("query_tasks", arguments.QueryTasks(task_status="dead"), "tasks_status (task_status=?)"),
    ("query_tasks", arguments.QueryTasks(project_id=1), "tasks_project (project_id=?)"),
    ("query_tasks", arguments.QueryTasks(agent_id="a"), "tasks_agent (assigned_agent=?)"),
    ("search_tasks", arguments.SearchTasks(query="x"), "tasks_text VIRTUAL TABLE INDEX"),
    ("get_recent_completions", arguments.RecentCompletions(), "tasks_done"),
    ("get_tasks_approaching_deadline", arguments.Deadlines(), "tasks_due (due_date>? AND due_date<?)"),
    ("query_stale_tasks", arguments.StaleTasks(), "tasks_held"),
    ("get_task_statistics", arguments.Statistics(), "COVERING INDEX tasks_counts"),
    ("get_activity_feed", arguments.ActivityFeed(task_id=1), "task_history_task (task_id=?)"),
    ("get_agent_performance", arguments.Performance(agent_id="a"), "tasks_agent (assigned_agent=?)"),
]


@pytest.mark.parametrize(
    ("tool", "asked", "index"), QUESTIONS, ids=lambda value: value if isinstance(value, str) else ""
)
async def test_questions_follow_an_index(file_url, tool, asked, index):
    async with open_own(file_url, SETTINGS) as board:
        plans = []

        def explain(connection, cursor, statement, parameters, context, executemany):
            if not statement.startswith(("EXPLAIN", "PRAGMA", "BEGIN")):
                plan = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
                plans.extend(row[3] for row in plan)

        def explained(database):
            run = database.run

            def ask(work, *, lasting=True):
                def done(connection):
                    event.listen(connection, "before_cursor_execute", explain)
                    try:
                        return work(connection)
                    finally:
                        event.remove(connection, "before_cursor_execute", explain)

                return run(done, lasting=lasting)

            database.run = ask

        explained(board.database)
        explained(board._reader)
        await board.call(TOOLS[tool], asked, "a")
        assert any(index in plan for plan in plans), plans
        assert not [plan for plan in plans if plan.startswith("SCAN tasks") and "INDEX" not in plan], plans


def test_the_tables_have_names_of_their_own():
    from essence.store.tables import metadata as store

    assert not set(metadata.tables) & set(store.tables)


def test_migrations_are_where_they_are_looked_for():
    assert (Path(MIGRATIONS.folder) / "env.py").is_file()
