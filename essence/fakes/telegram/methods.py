"""The methods of the Bot API that change nothing but the bot's own affairs, and the table of all methods."""

# ruff: noqa: D103 - what each function does is told at https://core.telegram.org/bots/api under its method's name

from __future__ import annotations

import re
from collections.abc import Callable

from essence.fakes.telegram import editing, sending
from essence.fakes.telegram.platform import Platform
from essence.fakes.telegram.updates import CONFLICT_WEBHOOK_SET
from essence.fakes.telegram.webhook import Webhook
from essence.fakes.telegram.wire import Call, Json, bad_request
from essence.fakes.telegram.world import MAX_DOWNLOAD_BYTES

_COMMAND = re.compile(r"[a-z0-9_]{1,32}")


def get_me(platform: Platform, _: Call) -> Json:
    return platform.bot.json() | {
        "can_join_groups": True,
        "can_read_all_group_messages": not platform.privacy,
        "supports_guest_queries": False,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
        "has_topics_enabled": False,
        "allows_users_to_create_topics": False,
        "can_manage_bots": False,
    }


def leave(_: Platform, __: Call) -> bool:
    """LogOut and close, which mean something only to those who run a Bot API server of their own."""
    return True


async def set_webhook(platform: Platform, call: Call) -> bool:
    p = call.parameters
    if not p.get("url"):
        return await delete_webhook(platform, call)
    hook = Webhook(
        p["url"],
        platform.updates,
        platform.changes,
        p.get("secret_token", ""),
        p.get("max_connections", 40),
        platform.webhook_retry_s,
    )
    await delete_webhook(platform, call)
    platform.updates.allow(p.get("allowed_updates"))
    platform.updates.interrupt(CONFLICT_WEBHOOK_SET)
    platform.webhook = hook
    hook.start()
    return True


async def delete_webhook(platform: Platform, call: Call) -> bool:
    if platform.webhook is not None:
        await platform.webhook.close()
        platform.webhook = None
    if call.parameters.get("drop_pending_updates"):
        platform.updates.forget()
    return True


def get_webhook_info(platform: Platform, _: Call) -> Json:
    info: Json = {"url": "", "has_custom_certificate": False, "pending_update_count": len(platform.updates)}
    return info if platform.webhook is None else info | platform.webhook.info()


def get_file(platform: Platform, call: Call) -> Json:
    file = platform.files.find(call.parameters["file_id"])
    if file is None:
        raise bad_request("invalid file_id")
    if len(file.data) > MAX_DOWNLOAD_BYTES:
        raise bad_request("file is too big")
    return file.json() | {"file_path": file.path}


def set_my_commands(platform: Platform, call: Call) -> bool:
    commands = call.parameters["commands"]
    if len(commands) > 100:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        if not _COMMAND.fullmatch(command.get("command", "").removeprefix("/")):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(command.get("description", "")) <= 256:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    platform.commands[_audience(call)] = [
        {"command": command["command"].removeprefix("/"), "description": command["description"]} for command in commands
    ]
    return True


def get_my_commands(platform: Platform, call: Call) -> list[Json]:
    return platform.commands.get(_audience(call), [])


def delete_my_commands(platform: Platform, call: Call) -> bool:
    platform.commands.pop(_audience(call), None)
    return True


def _audience(call: Call) -> str:
    scope = call.parameters.get("scope") or {"type": "default"}
    return f"{sorted(scope.items())} {call.parameters.get('language_code', '')}"


def get_chat(platform: Platform, call: Call) -> Json:
    chat = platform.chat(call.parameters["chat_id"])
    gifts = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
    return chat.json() | {
        "accent_color_id": 0,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(gifts, False),
    }


def get_chat_member(platform: Platform, call: Call) -> Json:
    chat, user_id = platform.chat(call.parameters["chat_id"]), call.parameters["user_id"]
    person = platform.bot if user_id == platform.bot.user_id else chat.people.get(user_id)
    if person is None:
        raise bad_request("member not found")
    if user_id == chat.creator_id:
        return {"status": "creator", "user": person.json(), "is_anonymous": False}
    return {"status": "member", "user": person.json()}


Method = Callable[[Platform, Call], object]
"""What it returns is the result of the answer; a coroutine is awaited for it."""

TABLE: dict[str, Method] = {
    "getMe": get_me,
    "logOut": leave,
    "close": leave,
    "setWebhook": set_webhook,
    "deleteWebhook": delete_webhook,
    "getWebhookInfo": get_webhook_info,
    "getFile": get_file,
    "setMyCommands": set_my_commands,
    "getMyCommands": get_my_commands,
    "deleteMyCommands": delete_my_commands,
    "getChat": get_chat,
    "getChatMember": get_chat_member,
    "sendMessage": sending.send_message,
    "sendMessageDraft": sending.send_draft,
    "sendVoice": sending.send_voice,
    "sendAudio": sending.send_audio,
    "sendDocument": sending.send_document,
    "sendChatAction": sending.send_chat_action,
    "editMessageText": editing.edit_text,
    "editMessageCaption": editing.edit_caption,
    "editMessageReplyMarkup": editing.edit_reply_markup,
    "deleteMessage": editing.delete_message,
    "deleteMessages": editing.delete_messages,
    "setMessageReaction": editing.set_reaction,
    "answerCallbackQuery": editing.answer_callback_query,
}
"""All but getUpdates, which waits: the server answers it."""
