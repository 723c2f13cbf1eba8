"""What the server that services are forked from has imported and read before; see `tests.crash.start`."""

# ruff: noqa: F401 - imported so that it is there
import alembic.command
import httpcore
import httpcore2
import truststore

import essence.audio.decoding
import essence.audio.encoding
import essence.chat.pipeline
import essence.chat.rendering.discord
import essence.chat.rendering.telegram
import essence.engines.llm.openai_model
import essence.engines.table
import essence.fakes.by_url
import essence.resilience
import essence.rpc.server
import essence.services.agent
import essence.services.chatting
import essence.services.discord.channel
import essence.services.message_api.process
import essence.services.telegram.channel
import essence.services.todorama
import essence.tasks.board
import essence.tasks.far.board
import tests.crash.start
from essence.chat import language

language.prepare()
