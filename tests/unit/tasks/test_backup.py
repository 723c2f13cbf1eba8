"""Backups of a board: whole, one each night, and put back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from essence.config import BoardSettings
from essence.errors import InvalidInput, NotFound, StoreError
from essence.tasks.arguments import CreateTask, QueryTasks, SearchTasks
from essence.tasks.backup import Shelf, copy, file_of, restore
from essence.tasks.board import open_own

SETTINGS = BoardSettings(_env_file=None)


def task(title: str) -> CreateTask:
    return CreateTask(title=title, task_type="concrete", task_instruction="i", verification_instruction="v")


async def titles(path: Path) -> list[str]:
    async with open_own(f"sqlite:///{path}", SETTINGS) as board:
        return [one["title"] for one in (await board.ask("query_tasks", QueryTasks(), "a"))["tasks"]]


async def test_what_was_backed_up_while_the_board_was_in_use_is_there_again_after_a_restore(tmp_path):
    path, kept = tmp_path / "tasks.db", tmp_path / "kept" / "copy.db"
    async with open_own(f"sqlite:///{path}", SETTINGS) as board:
        await board.ask("create_task", task("before"), "a")
        copy(path, kept)
        await board.ask("create_task", task("after"), "a")
    aside = restore(kept, path)
    assert await titles(path) == ["before"]
    assert await titles(aside) == ["before", "after"]
    async with open_own(f"sqlite:///{path}", SETTINGS) as board:
        assert (await board.ask("search_tasks", SearchTasks(query="before"), "a"))["count"] == 1
        assert (await board.ask("search_tasks", SearchTasks(query="after"), "a"))["count"] == 0


async def test_a_lost_board_is_restored_from_nothing(tmp_path):
    path, kept = tmp_path / "tasks.db", tmp_path / "copy.db"
    async with open_own(f"sqlite:///{path}", SETTINGS) as board:
        await board.ask("create_task", task("kept"), "a")
        copy(path, kept)
    for file in tmp_path.glob("tasks.db*"):
        file.unlink()
    assert restore(kept, path) is None
    assert await titles(path) == ["kept"]
    assert path.stat().st_mode & 0o077 == kept.stat().st_mode & 0o077 == 0


async def test_one_backup_a_night_is_made_and_the_newest_are_kept(tmp_path):
    path, now = tmp_path / "tasks.db", [datetime(2026, 11, 22, 2, tzinfo=UTC)]
    await titles(path)
    shelf = Shelf(path, "", 2, lambda: now[0])
    assert shelf.keep_up() is None  # before the hour
    made = []
    for _ in range(4):
        now[0] += timedelta(hours=6)
        made += [shelf.keep_up(), shelf.keep_up()]
        now[0] += timedelta(hours=18)
    names = [f"tasks-2026-11-{day}.db" for day in (22, 23, 24, 25)]
    assert [one and one.name for one in made] == [one for name in names for one in (name, None)]
    assert sorted(one.name for one in (tmp_path / "backups").iterdir()) == names[2:]


def test_what_is_no_backup_is_refused_and_the_board_left_as_it_is(tmp_path):
    path, wrong = tmp_path / "tasks.db", tmp_path / "wrong.db"
    path.write_text("the board")
    with pytest.raises(NotFound):
        restore(wrong, path)
    for content in ("Dear diary, " * 1000, ""):
        wrong.write_text(content)
        with pytest.raises(InvalidInput):
            restore(wrong, path)
    assert path.read_text() == "the board"


async def test_a_folder_that_can_t_be_written_is_named(tmp_path):
    await titles(tmp_path / "tasks.db")
    with pytest.raises(StoreError, match="/proc/june"):
        copy(tmp_path / "tasks.db", Path("/proc/june/copy.db"))


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///tasks.db", Path("tasks.db")),
        ("sqlite:////var/tasks.db", Path("/var/tasks.db")),
        ("memory://", None),
        ("sqlite://", None),
        ("postgresql://u:p@h/d", None),
        ("nonsense", None),
    ],
)
def test_only_a_file_has_backups_here(url, path):
    assert file_of(url) == path
