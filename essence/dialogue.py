"""The words of a conversation, as data: what was heard, what a model was shown, what it answered.

Everything here is frozen and knows nothing of engines, platforms or wires. Ids are strings, times are aware UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # the codecs behind it are not loaded by those who only need words
    from essence.audio import VoiceNote


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a transcript with its place in the audio."""

    text: str
    start_s: float
    end_s: float
    probability: float
    """0 to 1."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech, as the engine cut it."""

    text: str
    start_s: float
    end_s: float
    average_logprob: float
    """Mean natural log-probability of the tokens; 0 is certain, below about -1 is a guess."""
    no_speech_probability: float
    """0 to 1."""
    compression_ratio: float
    """Length of the text over its zlib length; above about 2.4 it repeats itself."""
    words: tuple[Word, ...] = ()
    """Filled only where word times were asked for."""


@dataclass(frozen=True, slots=True)
class SttTiming:
    """Where the time of one transcription went, as the engine saw it."""

    queue_s: float = 0.0
    """Waiting for a free worker."""
    gate_s: float = 0.0
    """Finding out whether anybody spoke."""
    compute_s: float = 0.0
    """Encoding and decoding, all attempts together."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was heard. Silence is a value, `Transcript(text="", speech=False)`, never an error.

    A streaming engine yields growing transcripts: each repeats what came before and adds to it. The last one is final.
    """

    text: str
    speech: bool
    """False: nobody spoke (silence, noise, music). Then `text` is empty."""
    language: str | None = None
    """ISO 639-1 code in lower case, None where there was no speech."""
    language_probability: float = 0.0
    """0 to 1; 1 where the caller named the language."""
    duration_s: float = 0.0
    """Length of the audio."""
    segments: tuple[Segment, ...] = ()
    timing: SttTiming = SttTiming()

    @property
    def confidence(self) -> float:
        """Probability of the average token, 0 to 1: exp of the segments' log-probability, weighted by their length."""
        return _confidence(self.segments)


def _confidence(segments: tuple[Segment, ...]) -> float:
    from math import exp

    weights = [max(segment.end_s - segment.start_s, 0.01) for segment in segments]
    if not weights:
        return 0.0
    total = sum(w * s.average_logprob for w, s in zip(weights, segments, strict=True))
    return min(1.0, exp(total / sum(weights)))


Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model asks for a tool. `arguments` is JSON text as the model wrote it: parse and check it before use."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One entry of the history that a model is shown."""

    role: Role
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    """Assistant only."""
    tool_call_id: str | None = None
    """Tool only: which call this answers."""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool that a model may call."""

    name: str
    description: str
    parameters: str
    """JSON Schema of the arguments, as JSON text."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer, to be appended as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """The next piece of what a model thinks aloud. Never shown, never spoken."""

    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that one reply cost."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    """Part of `prompt_tokens` that the model's prefix cache answered."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of every reply that did not fail."""

    reason: Literal["stop", "length", "tool_calls"]
    """`length`: the answer was cut at the model's token limit."""
    usage: Usage = Usage()


ModelEvent = TextDelta | ReasoningDelta | ToolCall | Finished
"""What a reply is made of: any number of the first three in any order, then one `Finished`."""


Platform = Literal["telegram", "discord", "grpc"]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a message came from, and so where its answer goes. A thread is a conversation of its own."""

    platform: Platform
    chat_id: str
    thread_id: str | None = None
    """A forum topic or thread within the chat."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who wrote, as the platform knows them. Rights hang on `person_id` alone: names can be chosen."""

    person_id: str
    name: str
    username: str = ""
    language: str = ""
    """ISO 639-1 code of their application; a hint, not a choice."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A voice message, audio file or video note that is still on the platform."""

    reference: str
    """By which the platform's service fetches it: a file id or an address."""
    media_type: str
    """As the platform says, such as audio/ogg; not to be trusted."""
    duration_s: float | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What a person sent, converted once by the platform's service."""

    address: Address
    message_id: str
    """Unique within the platform's chat."""
    sender: Person
    sent_at: datetime
    text: str = ""
    """Typed text or a caption."""
    sound: Sound | None = None
    reply_to_id: str | None = None
    """The message that this one answers; of a tapped button, the one that bears it."""
    forwarded: bool = False
    """Somebody else's words: never an order."""
    quoted: str = ""
    """What the message that this one answers says, as far as the platform tells; empty where June said it."""
    private: bool = True
    """Nobody else reads along."""
    addressed: bool = True
    """Meant for June: always in private; in a group if it names June, answers her, or is a command for her."""
    unreadable: str = ""
    """What else it brings that June can't read, as a person would call it: "a sticker"."""
    pressed: str = ""
    """Data of the button that was tapped; the message is nothing but that then."""
    version: str = ""
    """Tells an edit from what was there before; empty for the first."""

    @property
    def key(self) -> str:
        """Idempotency key of everything that this message causes."""
        version = f"~{self.version}" if self.version else ""
        return f"{self.address.platform}:{self.address.chat_id}:{self.message_id}{version}"


Outcome = Literal["answered", "failed", "cancelled", "refused", "silent", "parked", "delegated"]
"""How a message ended: with its answer; with an error that its sender was told; by `/stop` or a newer message; by a
rule; with nothing to say, as when nobody spoke in a group; set aside, since it came while June was away, until its
sender says whether it still matters; or as a task, whose end is the agent's to bring."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to answer one message for a while. Whoever finishes shows it, and learns whether it still holds."""

    message: Message
    worker_id: str
    fence: int
    """Grows with each claim in this conversation: a claim with a smaller one has been lost."""
    attempt: int
    """1 for the first claim of this message; more where a worker was lost or gave it back."""
    deadline_at: datetime
    """By when the sender must have seen an end."""
    received_at: datetime
    """When June got it."""
    record: str = ""
    """What `finish` kept of this conversation's last answer; empty where there was none."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in one conversation, the message being answered included."""

    address: Address
    messages: int
    oldest_at: datetime
    """When the oldest of them was received."""


@dataclass(frozen=True, slots=True)
class Unsent:
    """Parts of answers that their platform does not have yet."""

    parts: int
    oldest_key: str
    """Empty where there are none."""


EntityKind = Literal[
    "bold", "italic", "strikethrough", "spoiler", "code", "pre", "text_link", "blockquote",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entity:
    """A styled stretch of a text, as in Telegram's MessageEntity."""

    kind: EntityKind
    """Telegram's name for the style."""
    offset: int
    """Where it begins, in UTF-16 units."""
    length: int
    """In UTF-16 units, at least 1."""
    url: str | None = None
    """Of a text_link."""
    language: str | None = None
    """Of a pre, where it is known."""


@dataclass(frozen=True, slots=True)
class RichText:
    """One message's text as its platform takes it: never empty, without white space around it."""

    text: str
    """What is sent; on Discord with its Markdown in it."""
    entities: tuple[Entity, ...] = ()
    """Telegram: by rising offset, the longer first; any two are nested or disjoint."""


@dataclass(frozen=True, slots=True)
class Button:
    """Something to tap below a message."""

    label: str
    data: str
    """What comes back as `Message.pressed`: at most 64 bytes (https://core.telegram.org/bots/api#inlinekeyboardbutton)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One message that June sends, rendered for its platform: text, or a voice message with or without a caption."""

    text: str = ""
    """As `RichText.text`; with a voice message, its caption."""
    voice: VoiceNote | None = None
    reply_to_id: str | None = None
    """The message that this one answers."""
    entities: tuple[Entity, ...] = ()
    """Styles of `text`, as in `RichText`."""
    spoken: str = ""
    """The stretch of the answer's Markdown that `voice` speaks: where another worker goes on after a crash."""
    buttons: tuple[Button, ...] = ()


Markup = Literal["telegram", "discord", "plain"]


@dataclass(frozen=True, slots=True)
class ChannelProfile:
    """What a platform can take, as data."""

    platform: Platform
    markup: Markup
    """How an answer's Markdown is rendered for it."""
    text_units: int
    """Longest text of a message, in UTF-16 units."""
    caption_units: int
    """Longest caption of a voice message, in UTF-16 units; 0 where voice messages have none."""
    edit_every_s: float
    """Least time between two changes of one private chat."""
    group_edit_every_s: float
    """The same of a group."""
    typing_s: float
    """How long the platform shows "is typing …" before it must be told again."""
    knows_repeats: bool = False
    """It recognises a message that is sent again, so that it is never there twice."""


@dataclass(frozen=True, slots=True)
class ChannelState:
    """How a channel gets on with its platform since the process started."""

    connected: bool
    account: str = ""
    """Who June is there, such as @june_bot; empty before she is known."""
    troubles: tuple[tuple[str, int], ...] = ()
    """What went wrong and how often, such as ("429", 2), most frequent first."""


Sign = Literal["heard", "writing", "speaking"]
"""What a person is shown at once: that June has it; that she is typing; that she is recording."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The platform has it."""

    message_id: str
    """What the platform calls the sent message; empty where `assumed`."""
    sent_at: datetime
    assumed: bool = False
    """The platform's answer was lost, and the sender took it as sent rather than risk sending it twice; or it was left
    out, since what the person sent with it is answered."""


PartState = Literal["intended", "sending", "sent", "failed", "given_up", "cancelled"]
"""The last three: another try is due at `retry_at`; no further try; not sent since a newer message came."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an answer on its way out, as the outbox knows it."""

    key: str
    """`{key of the message that it answers}:{number}`."""
    to: Address
    reply: Reply
    state: PartState
    tries: int = 0
    """Requests that were about to leave."""
    uncertain: bool = False
    """Its last request may have reached the platform: it was about to leave, and no receipt and no error came."""
    doubtful: bool = False
    """It was sent again after it had been uncertain, so the person may have got it twice."""
    receipt: Receipt | None = None
    why: str = ""
    """What the last failure was."""


AnswerForm = Literal["auto", "text", "voice", "both", "caption"]
"""`auto`: a voice message is answered by voice and text beside it, text by text alone. `caption`: by voice, with its
words as the caption where the platform has captions."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """What one person chose; None leaves it to June."""

    language: str | None = None
    """ISO 639-1 code."""
    voice: str | None = None
    answer: AnswerForm = "auto"


@dataclass(frozen=True, slots=True)
class Pairing:
    """Somebody who asked to be let in."""

    platform: Platform
    person: Person
    code: str
    """What the owner approves; upper case, without characters that look alike."""
    asked_at: datetime
    approved_at: datetime | None = None
    """None: the owner has not answered."""
