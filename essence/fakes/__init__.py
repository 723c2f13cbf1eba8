"""Players for tests and demonstrations, named for what they do. They ship with June."""

from essence.fakes.engines import ScriptedModel, ScriptedTranscriber, ToneSynthesizer

__all__ = ["ScriptedModel", "ScriptedTranscriber", "ToneSynthesizer"]
