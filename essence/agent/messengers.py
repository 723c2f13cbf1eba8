"""The ways to people, by platform."""

from __future__ import annotations

from collections.abc import Mapping

from essence import observe
from essence.dialogue import Address, Platform
from essence.errors import ConfigError, JuneError
from essence.ports import Messenger


class Messengers:
    """One messenger for each platform that June talks on."""

    def __init__(self, by_platform: Mapping[Platform, Messenger]) -> None:
        self._by_platform = by_platform

    def to(self, address: Address) -> Messenger:
        """The one that reaches an address.

        Raises:
            ConfigError: None does.
        """
        messenger = self._by_platform.get(address.platform)
        if messenger is None:
            raise ConfigError(f"I can't write to {address.platform}. Set AGENT_{address.platform.upper()}_URL.")
        return messenger

    async def edit_quietly(self, address: Address, key: str, text: str) -> None:
        """Change what stands under a key, where that is possible; nothing depends on it."""
        try:
            await self.to(address).edit(key, text)
        except JuneError as error:
            observe.logger().info("not_edited", key=key, code=error.code)
