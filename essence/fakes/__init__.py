"""Players for tests and demonstrations, named for what they do. They ship with June."""

from essence.fakes.codec import RawCodec
from essence.fakes.engines import ScriptedModel, ScriptedTranscriber, ToneSynthesizer

__all__ = ["RawCodec", "ScriptedModel", "ScriptedTranscriber", "ToneSynthesizer"]
