"""June: a private voice assistant for the chats you already use."""

__version__ = "0.1.0"
