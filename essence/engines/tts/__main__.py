"""A speech engine's process: `python -m essence.engines.tts MODULE [ARGUMENT …]` serves `MODULE.load(ARGUMENT, …)`."""

from __future__ import annotations

import importlib
import sys
from typing import cast

from essence.engines.tts.desk import Speaker, serve


def _load() -> Speaker:
    # Imported once standard output is out of the way: what a library prints would get between the frames.
    return cast("Speaker", importlib.import_module(sys.argv[1]).load(*sys.argv[2:]))


serve(_load)
