"""Whose key is shown, and for whom it speaks."""

import pytest

from essence.errors import ConfigError
from essence.tasks.keys import is_local_page, is_loopback, read_keys, speaker
from essence.tasks.refusals import Refusal

KEY, OTHER = "0123456789abcdef", "fedcba9876543210"


def test_each_key_is_its_agent_s_and_an_agent_may_have_several():
    keys = read_keys(f" june={KEY}, june = {OTHER} ", "0.0.0.0")
    assert keys.agent_of(KEY) == keys.agent_of(OTHER) == "june"
    for wrong in ("", KEY[:-1], KEY + "x", "\udc80"):
        assert keys.agent_of(wrong) is None


@pytest.mark.parametrize("setting", ["june", "june=short", f"={KEY}", KEY])
def test_keys_that_can_t_be_read_are_refused_and_not_shown(setting):
    with pytest.raises(ConfigError, match="TODORAMA_KEYS") as caught:
        read_keys(setting, "127.0.0.1")
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "board.example"])
def test_beyond_this_machine_there_must_be_keys(host):
    with pytest.raises(ConfigError, match="TODORAMA_KEYS"):
        read_keys("", host)
    assert read_keys(f"a={KEY}", host).agents


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_on_this_machine_none_is_needed(host):
    assert is_loopback(host)
    assert read_keys("", host).agents == {}


@pytest.mark.parametrize(
    ("host", "origin", "local"),
    [
        ("127.0.0.1:8004", "", True),
        ("localhost:8004", "http://localhost:3000", True),
        ("[::1]:8004", "", True),
        ("evil.example:8004", "", False),
        ("127.0.0.1:8004", "https://evil.example", False),
        ("127.0.0.1:8004", "null", False),
        ("localhost.evil.example", "", False),
        ("", "", False),
        ("[", "", False),
        ("[::1", "", False),
        ("[::ffff:zz]", "", False),
        ("127.0.0.1", "http://[", False),
        ("127.0.0.1", "http://\u2100", False),
    ],
)
def test_only_this_machine_s_own_programs_speak_without_a_key(host, origin, local):
    assert is_local_page(host, origin) is local


@pytest.mark.parametrize(("key_agent", "said", "agent"), [(None, "a", "a"), ("a", None, "a"), ("a", "a/1", "a/1")])
def test_who_speaks(key_agent, said, agent):
    assert speaker(key_agent, said) == agent


@pytest.mark.parametrize(
    ("key_agent", "said", "code"),
    [(None, None, "invalid_input"), ("a", "b", "not_allowed"), ("a", "ab", "not_allowed")],
)
def test_who_may_not(key_agent, said, code):
    with pytest.raises(Refusal) as caught:
        speaker(key_agent, said)
    assert (caught.value.code, caught.value.field) == (code, "agent_id")


def test_who_may_not_is_told_which_names_fit_the_key():
    with pytest.raises(Refusal, match=r"speaks for june and june/NAME.*AGENT_ID"):
        speaker("june", "june@vm")
