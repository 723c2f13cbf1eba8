"""When a stretch of speech is worth sending: early for the first, later ones before the listener runs dry."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Playout:
    """The rule by which a spoken answer is cut into voice messages, never within a sentence but after its first clause.

    The listener is taken to play each part as it arrives, one after the other, as a jitter buffer is emptied: a part is
    sent when what they have would end within `margin_s`. So parts are as few as the speed of the engines allows.
    """

    first_part_s: float = 2.0
    """The first part holds at least this much sound: shorter is not worth a tap."""
    margin_s: float = 4.0
    """A part leaves when the listener has less than this left to hear. About one sentence."""
    patience_s: float = 1.0
    """A rest of the answer that is spoken in less than this is waited for, so that short answers stay one note."""
    longest_part_s: float = 300.0
    """No part grows beyond the sentence that passes this."""

    def due(self, *, first: bool, part_s: float, left_s: float, rest_s: float | None) -> bool:
        """Whether the part leaves now.

        Args:
            first: Nothing was sent yet.
            part_s: Sound in the part.
            left_s: What the listener still has to hear.
            rest_s: Time that the engine needs to speak the rest; None while the answer is still being written.
        """
        if part_s >= self.longest_part_s:
            return True
        if rest_s is not None and rest_s < self.patience_s and (first or rest_s < left_s):
            return False
        return part_s >= self.first_part_s if first else left_s < self.margin_s


WHOLE = Playout(first_part_s=float("inf"), margin_s=float("-inf"), longest_part_s=float("inf"))
"""The answer as one voice message, sent at its end."""
