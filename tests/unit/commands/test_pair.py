"""What a person at a terminal sees of `pair`."""

import asyncio

import pytest

from essence.commands import pair
from essence.config import StoreSettings
from essence.dialogue import Person
from essence.store import open_store

BEN = Person("2", "Ben [bold]\x1b[31m", "ben")


@pytest.fixture
def in_store(monkeypatch, tmp_path):
    """Runs something in the store that STORE_URL names, as a chat service would."""
    url = f"sqlite:///{tmp_path}/june.db"
    monkeypatch.setenv("STORE_URL", url)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)

    def run(work):
        async def main():
            async with open_store(url, StoreSettings()) as store:
                return await work(store)

        return asyncio.run(main())

    return run


@pytest.fixture
def asked(in_store):
    in_store(lambda store: store.people.ask("telegram", BEN, "K7QF2M9X"))
    return in_store


def is_paired(in_store):
    return in_store(lambda store: store.people.is_paired("telegram", "2"))


def test_a_code_lets_in_whoever_has_it_and_names_them(asked, capsys):
    assert pair.main(["k7qf-2m9x"]) == 0
    shown = capsys.readouterr().out
    assert "Ben [bold]\ufffd[31m @ben (telegram 2)" in shown
    assert is_paired(asked)


def test_a_code_that_nobody_has_is_told_with_what_to_do_next(asked, capsys):
    assert pair.main(["OTHER"]) == 1
    assert "Nobody has the code OTHER. See who asked: python -m essence pair --list" in capsys.readouterr().err
    assert not is_paired(asked)


def test_all_who_asked_are_listed_with_their_codes(asked, capsys):
    asked(lambda store: store.people.ask("discord", Person("3", "Cleo"), "AAAA"))
    asked(lambda store: store.people.approve("AAAA"))
    assert pair.main(["--list"]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert all(word in shown for word in ("telegram", "K7QF2M9X", "@ben", "discord", "Cleo", "let in"))


def test_an_empty_list_is_said_in_words(in_store, capsys):
    in_store(lambda store: store.people.pairings())
    assert pair.main(["--list"]) == 0
    assert "Nobody has asked" in capsys.readouterr().out


def test_a_removed_person_has_to_ask_again(asked, capsys):
    asked(lambda store: store.people.approve("K7QF2M9X"))
    assert pair.main(["--remove", "Telegram", "2"]) == 0
    assert not is_paired(asked)
    assert pair.main(["--remove", "telegram", "2"]) == 1
    assert "has not asked" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [[], ["CODE", "--list"], ["--list", "--remove", "telegram", "2"], ["a", "b"]])
def test_a_call_that_asks_for_nothing_or_two_things_is_refused(in_store, argv, capsys):
    assert pair.main(argv) == 2
    assert capsys.readouterr().err


def test_an_unknown_platform_is_told_with_those_there_are(in_store, capsys):
    assert pair.main(["--remove", "signal", "2"]) == 2
    assert "telegram, discord" in capsys.readouterr().err


def test_another_process_s_memory_can_t_be_reached(in_store, monkeypatch, capsys):
    monkeypatch.setenv("STORE_URL", "memory://")
    assert pair.main(["--list"]) == 1
    assert "no other process can reach the memory" in capsys.readouterr().err


def test_looking_makes_no_store(in_store, tmp_path, capsys):
    assert pair.main(["--list"]) == 1
    assert "There is no store at" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
