"""What people do on Discord, as June hears it."""

from tests.discord_june import OGG, _quickly, june, server  # noqa: F401 - fixtures


async def test_a_private_message_is_addressed_to_june(server, june):
    ann = server.user("Ann")
    said = await ann.says("hi")
    message = await june.hears()
    assert (message.text, message.message_id, message.private, message.addressed) == ("hi", said.message_id, True, True)
    assert (message.sender.person_id, message.sender.name) == (ann.user_id, "Ann")
    assert message.address.chat_id == ann.dm.channel_id
