"""Sound: `Pcm` inside June; any container and codec at its edge. The only package that decodes and encodes."""

from essence.audio.pcm import Pcm

__all__ = ["Pcm"]
