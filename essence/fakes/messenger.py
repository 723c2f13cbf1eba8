"""A messenger that keeps what was sent: each key once, as the real one does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from essence.dialogue import Address, Button, Receipt
from essence.errors import JuneError, NotFound


@dataclass(slots=True)
class Sent:
    """One message as its person sees it."""

    to: Address
    text: str
    key: str
    spoken: bool = False
    language: str | None = None
    reply_to_id: str | None = None
    buttons: tuple[Button, ...] = ()
    receipt: Receipt = field(default_factory=lambda: Receipt("0", datetime.now(UTC)))


class MemoryMessenger:
    """See `essence.ports.Messenger`."""

    def __init__(self, *failures: JuneError) -> None:
        """`failures`: raised by the first calls of `send`, one each; None of those messages is sent."""
        self.sent: list[Sent] = []
        self.tries = 0
        """Calls of `send`."""
        self._failures = list(failures)

    async def send(
        self,
        to: Address,
        text: str,
        *,
        key: str,
        speak: bool = False,
        language: str | None = None,
        reply_to_id: str | None = None,
        buttons: Sequence[Button] = (),
    ) -> tuple[Receipt, ...]:
        self.tries += 1
        if self._failures:
            raise self._failures.pop(0)
        if (known := self._find(key)) is not None:
            return (known.receipt,)
        receipt = Receipt(str(len(self.sent) + 1), datetime.now(UTC))
        self.sent.append(Sent(to, text, key, speak, language, reply_to_id, tuple(buttons), receipt))
        return (receipt,)

    async def edit(self, key: str, text: str) -> tuple[Receipt, ...]:
        if (known := self._find(key)) is None:
            raise NotFound(f"Nothing was sent under the key {key}.")
        known.text = text
        return (known.receipt,)

    def _find(self, key: str) -> Sent | None:
        return next((sent for sent in self.sent if sent.key == key), None)
