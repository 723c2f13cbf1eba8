"""How June reads Discord's texts and plans what to read again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from essence.config import StoreSettings
from essence.dialogue import Address, Message, Person, Sound
from essence.services.discord.addresses import moment, ordinary
from essence.services.discord.bookmark import Bookmark
from essence.services.discord.catching_up import Stretch, edge_of, stretches
from essence.services.discord.directory import Place, Room
from essence.services.discord.incoming import readable
from essence.store import open_store

NOW = datetime(2026, 11, 25, tzinfo=UTC)


class Names:
    june_id = "1"

    def is_hers(self, role_id: str) -> bool:
        return role_id == "7"

    def channel_name(self, channel_id: str) -> str | None:
        return {"5": "general"}.get(channel_id)

    def role_name(self, role_id: str) -> str | None:
        return {"8": "cooks"}.get(role_id)


ANN = {"id": "2", "username": "ann", "global_name": "Ann"}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("<@1> hi", "hi"),
        ("<@!1>hi", "hi"),
        ("hey <@1> you", "hey you"),
        ("<@1>", ""),
        ("ask <@2> or <@3>", "ask @Ann or @somebody"),
        ("<@&7> hi <@&8> and <@&9>", "hi @cooks and @some role"),
        ("in <#5> or <#6>", "in #general or #some channel"),
        ("use </play song:4> <:wave:9> <a:dance:9>", "use /play song :wave: :dance:"),
        ("1 < 2 <@ 1> <@x>", "1 < 2 <@ 1> <@x>"),
    ],
)
def test_ids_are_read_as_names(text, read):
    assert readable(text, [ANN], Names()) == read


@given(st.lists(st.sampled_from(["<@1>", "<@!1>", "<@2>", "<@&7>", "<#5>", "<:a:1>", "<", ">", " ", "hi", "\n", "@1"])))
def test_a_text_never_names_an_id_and_loses_no_word(parts):
    read = readable("".join(parts), [ANN], Names())
    assert "<@1>" not in read
    assert "<@&" not in read
    assert read.count("hi") == parts.count("hi")


@given(st.text())
def test_any_text_can_be_read(text):
    readable(text, [], Names())


@pytest.mark.parametrize(
    ("message_id", "found"),
    [
        ("12", 12),
        ("12.2", 12),
        ("12~2026-11-25T00:00:00", 12),
        ("slash-12", 12),
        ("press-12", 12),
        ("x", None),
        ("", None),
    ],
)
def test_the_moment_of_any_id_is_found(message_id, found):
    assert moment(message_id) == found


@given(st.text())
def test_any_id_has_a_moment_or_none(message_id):
    assert moment(message_id) is None or moment(message_id) >= 0


def test_an_interaction_is_no_message_to_refer_to():
    assert [ordinary(one) for one in ("12.2", "12", "slash-12", "press-12", None)] == ["12", "12", None, None, None]


def message(chat_id: str, ago: timedelta, *, private: bool) -> Message:
    number = discord.utils.time_snowflake(NOW - ago)
    return Message(Address("discord", chat_id), str(number), Person("2", "Ann"), NOW - ago, private=private)


def room(channel_id: str, ago: timedelta) -> Room:
    place = Place(Address("discord", channel_id), private=False)
    return Room(channel_id, place, discord.utils.time_snowflake(NOW - ago))


def planned(newest: list[Message], rooms: list[Room]) -> dict[str, Stretch]:
    return stretches(newest, rooms, NOW, edge_of(newest))


def test_private_conversations_are_read_from_their_end_however_old():
    old = message("5", timedelta(days=20), private=True)
    assert planned([old], []) == {"5": Stretch(Place(old.address, private=True), int(old.message_id))}


def test_channels_of_servers_are_read_one_day_back_at_most():
    day = discord.utils.time_snowflake(NOW - timedelta(hours=24))
    known = [message("5", timedelta(days=20), private=False)]
    found = planned(known, [room("5", timedelta(0)), room("6", timedelta(0)), room("7", timedelta(hours=25))])
    assert {name: one.after for name, one in found.items()} == {"5": day, "6": day}


def test_channels_where_nothing_was_said_since_are_not_read():
    known = [message("5", timedelta(hours=1), private=False)]
    assert planned(known, [room("5", timedelta(hours=1)), room("6", timedelta(hours=2))]) == {}


def test_a_june_without_a_past_reads_nothing():
    assert planned([], [room("5", timedelta(0))]) == {}


def test_a_catching_up_that_did_not_end_begins_again_where_it_began():
    begun, known = discord.utils.time_snowflake(NOW - timedelta(hours=2)), message("5", timedelta(0), private=True)
    found = stretches([known], [room("6", timedelta(hours=1)), room("7", timedelta(hours=3))], NOW, begun)
    assert {name: one.after for name, one in found.items()} == {"5": int(known.message_id), "6": begun}


async def test_of_catchings_up_that_did_not_end_the_first_is_where_the_next_begins(tmp_path):
    settings = StoreSettings(_env_file=None)
    for edge, begun in ((7, 7), (9, 7)):
        async with open_store(f"sqlite:///{tmp_path}/june.db", settings) as store:
            assert await Bookmark(store.journal).put(edge) == begun
    async with open_store(f"sqlite:///{tmp_path}/june.db", settings) as store:
        await Bookmark(store.journal).remove()
        assert await Bookmark(store.journal).put(9) == 9


def test_a_message_with_a_sound_is_read_again_for_it_may_have_had_several():
    known = replace(message("5", timedelta(hours=1), private=False), sound=Sound("url", "audio/ogg"))
    assert planned([known], [room("5", timedelta(hours=1))])["5"].after == int(known.message_id) - 1
