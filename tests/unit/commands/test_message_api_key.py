"""What a person at a terminal sees of `message-api-key` and `link`."""

import asyncio
import re

import pytest

from essence.commands import link, message_api_key
from essence.config import StoreSettings
from essence.outgoing import SCOPES, ApiKey, Identity
from essence.store import open_store


@pytest.fixture
def in_store(monkeypatch, tmp_path):
    """Runs something in the store that STORE_URL names."""
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


def test_a_key_is_printed_alone_and_allows_what_was_asked(in_store, capsys):
    assert message_api_key.main(["add", "bot", "--scope", "send", "--recipient", "telegram:42"]) == 0
    shown = capsys.readouterr()
    assert re.fullmatch(r"june_[\w-]{43}\n", shown.out)
    assert "not shown again" in shown.err
    key = in_store(lambda store: store.api_keys.find(shown.out.strip()))
    assert (key.name, key.scopes, key.recipients) == ("bot", {"send"}, {Identity("telegram", "42")})


def test_a_key_without_options_may_do_everything(in_store, capsys):
    assert message_api_key.main(["add", "bot"]) == 0
    key = in_store(lambda store: store.api_keys.find(capsys.readouterr().out.strip()))
    assert key == ApiKey("bot", SCOPES, frozenset(), key.created_at)


def test_keys_are_listed_without_what_is_secret(in_store, capsys):
    assert message_api_key.main(["add", "bot[bold]", "--recipient", "discord:7"]) == 0
    secret = capsys.readouterr().out.strip()
    assert message_api_key.main(["list"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"bot\[bold\] +edit read send +discord:7", shown)
    assert secret not in shown


def test_a_removed_key_is_listed_no_more(in_store, capsys):
    assert message_api_key.main(["add", "bot"]) == 0
    assert message_api_key.main(["remove", "bot"]) == 0
    assert "refused from now on" in capsys.readouterr().out
    assert message_api_key.main(["list"]) == 0
    assert "There are no keys" in capsys.readouterr().out
    assert message_api_key.main(["remove", "bot"]) == 1
    assert "message-api-key list" in capsys.readouterr().err


def test_a_name_that_is_taken_is_told(in_store, capsys):
    assert message_api_key.main(["add", "bot"]) == 0
    assert message_api_key.main(["add", "bot"]) == 1
    assert "Choose another name" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["add", "local"],
        ["add", "configured"],
        ["add", "bot", "--scope", "everything"],
        ["add", "bot", "--recipient", "42"],
        ["add", "bot", "--recipient", "icq:42"],
        ["add", "bot", "--recipient", "telegram:@ann"],
        ["add"],
        ["rename", "bot"],
    ],
)
def test_what_can_not_be_meant_makes_no_key(in_store, capsys, arguments):
    assert message_api_key.main(arguments) == 2
    assert in_store(lambda store: store.api_keys.list()) == ()


def test_keys_can_not_be_made_in_memory(in_store, monkeypatch, capsys):
    monkeypatch.setenv("STORE_URL", "memory://")
    assert message_api_key.main(["add", "bot"]) == 1
    assert "STORE_URL" in capsys.readouterr().err


def test_two_accounts_become_one_person_and_part_again(in_store, capsys):
    in_store(lambda store: store.people.pairings())  # a service has made the store
    assert link.main(["telegram:42", "discord:77"]) == 0
    assert capsys.readouterr().out == "One person: discord:77, telegram:42\n"
    assert link.main(["discord:77"]) == 0
    assert capsys.readouterr().out == "One person: discord:77, telegram:42\n"
    assert link.main(["telegram:42", "--remove"]) == 0
    assert in_store(lambda store: store.identities.linked(Identity("discord", "77"))) == (Identity("discord", "77"),)
    assert link.main(["telegram:42", "--remove"]) == 1
    assert "no other account" in capsys.readouterr().err


def test_a_link_that_can_not_be_meant_is_refused(in_store, capsys):
    assert link.main(["telegram:42", "discord:77", "--remove"]) == 2
    assert link.main(["telegram"]) == 2
