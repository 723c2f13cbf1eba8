"""Pcm: the only audio inside June."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Pcm:
    """A stretch of sound: mono, signed 16-bit little-endian."""

    data: bytes
    """2·n bytes."""
    rate: int
    """[Hz]"""

    @property
    def duration_s(self) -> float:
        """[s]"""
        return len(self.data) / 2 / self.rate

    def samples(self) -> NDArray[np.int16]:
        """A read-only view, shape (n,), int16."""
        import numpy as np  # only those who look into sound load it

        return np.frombuffer(self.data, dtype="<i2")
