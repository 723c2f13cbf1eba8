"""What the server that services are forked from has imported and read before; see `tests.crash.start`."""

# ruff: noqa: F401 - imported so that it is there
import alembic.command

import essence.engines.table
import essence.fakes.by_url
import essence.services.chatting
import essence.services.discord.channel
import essence.services.telegram.channel
import tests.crash.start
from essence.chat import language

language.prepare()
