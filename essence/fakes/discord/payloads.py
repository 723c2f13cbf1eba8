"""Users, guilds, channels and threads as Discord writes them: every field that its specification requires is there."""

from __future__ import annotations

from datetime import datetime

from essence.fakes.discord.refusals import Json

TEXT, DM, PUBLIC_THREAD = 0, 1, 11
"""Channel types."""

# Discord's documentation, "Permissions": what @everyone has in a new server, as far as a chat bot meets it.
PERMISSIONS = str(
    sum(
        1 << bit
        for bit in (
            6,  # ADD_REACTIONS
            10,  # VIEW_CHANNEL
            11,  # SEND_MESSAGES
            14,  # EMBED_LINKS
            15,  # ATTACH_FILES
            16,  # READ_MESSAGE_HISTORY
            31,  # USE_APPLICATION_COMMANDS
            35,  # CREATE_PUBLIC_THREADS
            38,  # SEND_MESSAGES_IN_THREADS
            46,  # SEND_VOICE_MESSAGES
        )
    )
)


def user(user_id: str, name: str, *, bot: bool = False) -> Json:
    """A person or a bot."""
    return {
        "id": user_id,
        "username": name.lower().replace(" ", "_"),
        "global_name": None if bot else name,
        "discriminator": "0001" if bot else "0",
        "avatar": None,
        "avatar_decoration_data": None,
        "banner": None,
        "accent_color": None,
        "collectibles": None,
        "primary_guild": None,
        "public_flags": 0,
        "flags": 0,
        "bot": bot,
    }


def member(about: Json, joined_at: datetime) -> Json:
    """The same in a guild."""
    return {
        "user": about,
        "nick": None,
        "avatar": None,
        "banner": None,
        "avatar_decoration_data": None,
        "communication_disabled_until": None,
        "flags": 0,
        "joined_at": joined_at.isoformat(),
        "pending": False,
        "premium_since": None,
        "roles": [],
        "mute": False,
        "deaf": False,
    }


def dm(channel_id: str, recipient: Json) -> Json:
    """A conversation of two."""
    return {"id": channel_id, "type": DM, "flags": 0, "last_message_id": None, "recipients": [recipient]}


def text_channel(channel_id: str, guild_id: str, name: str, position: int) -> Json:
    """A room of a guild."""
    return {
        "id": channel_id,
        "type": TEXT,
        "guild_id": guild_id,
        "name": name,
        "position": position,
        "flags": 0,
        "last_message_id": None,
        "parent_id": None,
        "topic": None,
        "nsfw": False,
        "rate_limit_per_user": 0,
        "permission_overwrites": [],
    }


def thread(thread_id: str, parent: Json, name: str, owner_id: str, now: datetime) -> Json:
    """A conversation of its own within a channel."""
    return {
        "id": thread_id,
        "type": PUBLIC_THREAD,
        "guild_id": parent["guild_id"],
        "parent_id": parent["id"],
        "owner_id": owner_id,
        "name": name,
        "flags": 0,
        "last_message_id": None,
        "rate_limit_per_user": 0,
        "message_count": 0,
        "member_count": 1,
        "total_message_sent": 0,
        "thread_metadata": {
            "archived": False,
            "archive_timestamp": now.isoformat(),
            "auto_archive_duration": 1440,
            "locked": False,
            "create_timestamp": now.isoformat(),
        },
    }


def guild(guild_id: str, name: str, owner_id: str) -> Json:
    """A server, as REST tells of it."""
    nothing = (
        *("icon", "description", "home_header", "splash", "discovery_splash", "banner", "application_id"),
        *("afk_channel_id", "system_channel_id", "widget_channel_id", "max_presences", "vanity_url_code"),
        *("rules_channel_id", "safety_alerts_channel_id", "public_updates_channel_id", "incidents_data"),
    )
    zero = (
        *("system_channel_flags", "verification_level", "default_message_notifications", "mfa_level"),
        *("explicit_content_filter", "premium_tier", "premium_subscription_count", "nsfw_level"),
    )
    return {
        **dict.fromkeys(nothing),
        **dict.fromkeys(zero, 0),
        "id": guild_id,
        "name": name,
        "owner_id": owner_id,
        "features": [],
        "region": "deprecated",
        "afk_timeout": 300,
        "widget_enabled": False,
        "roles": [_everyone(guild_id)],
        "max_members": 500_000,
        "max_stage_video_channel_users": 50,
        "max_video_channel_users": 25,
        "preferred_locale": "en-US",
        "premium_progress_bar_enabled": False,
        "nsfw": False,
        "emojis": [],
        "stickers": [],
    }


def guild_create(about: Json, channels: list[Json], threads: list[Json], members: list[Json]) -> Json:
    """The same as the gateway tells of it after READY."""
    empty = ("voice_states", "presences", "stage_instances", "guild_scheduled_events", "soundboard_sounds")
    return {
        **about,
        **{name: [] for name in empty},
        "joined_at": members[0]["joined_at"],
        "large": False,
        "unavailable": False,
        "member_count": len(members),
        "members": members,
        "channels": channels,
        "threads": threads,
    }


def _everyone(guild_id: str) -> Json:
    return {
        "id": guild_id,
        "name": "@everyone",
        "permissions": PERMISSIONS,
        "position": 0,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "managed": False,
        "mentionable": False,
        "icon": None,
        "unicode_emoji": None,
        "flags": 0,
    }


def application(application_id: str, bot: Json, owner: Json, flags: int) -> Json:
    """What stands in the developer portal."""
    return {
        "id": application_id,
        "name": bot["username"],
        "icon": None,
        "description": "",
        "type": None,
        "bot": bot,
        "verify_key": "0" * 64,
        "flags": flags,
        "flags_new": str(flags),
        "bot_public": True,
        "bot_require_code_grant": False,
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "role_connections_verification_url": None,
        "owner": owner,
        "approximate_guild_count": 1,
        "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0,
        "explicit_content_filter": 0,
        "team": None,
        "eligible_oauth2_scopes": [],
        "tags": [],
    }
