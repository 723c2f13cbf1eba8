"""Settings that can't be used are told with what they must be."""

import pytest

from essence import config
from essence.errors import ConfigError


@pytest.mark.parametrize("ids", ["@ann", "1,ann", "-5"])
def test_people_are_named_by_their_ids(monkeypatch, ids):
    monkeypatch.setenv("TELEGRAM_OWNER_USERS", ids)
    with pytest.raises(ConfigError, match=r"^TELEGRAM_OWNER_USERS: '.+' is no id; .*/whoami"):
        config.read(config.TelegramOwners)


def test_spaces_between_ids_don_t_matter(monkeypatch):
    monkeypatch.setenv("TELEGRAM_OWNER_USERS", " 1, 22 ,")
    owners = config.read(config.TelegramOwners)
    assert config.listed(owners.telegram_owner_users) == {"1", "22"}
