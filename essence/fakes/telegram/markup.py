"""`parse_mode`: HTML and MarkdownV2 read as Telegram reads them, and refused where Telegram refuses them.

https://core.telegram.org/bots/api#formatting-options; wording of the refusals: TDLib, MessageEntity.cpp.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from essence.fakes.telegram.entities import units
from essence.fakes.telegram.wire import Json, Refused, bad_request


def parse(text: str, mode: str) -> tuple[str, list[Json]]:
    """Plain text and its entities. Legacy Markdown is not read: new bots have no use for it."""
    match mode.lower():
        case "html":
            return _Html(text).parse()
        case "markdownv2":
            return _MarkdownV2(text).parse()
    raise bad_request("unsupported parse_mode")


def _cant(why: str) -> Refused:
    return bad_request(f"can't parse entities: {why}")


@dataclass(slots=True)
class _Open:
    name: str
    """What must close it."""
    entity: Json
    at_byte: int


@dataclass(slots=True)
class _Draft:
    """Text that grows, and the entities that are open or done in it."""

    text: str = ""
    open: list[_Open] = field(default_factory=list)
    entities: list[Json] = field(default_factory=list)

    def begin(self, name: str, entity: Json, at_byte: int) -> None:
        self.open.append(_Open(name, entity | {"offset": units(self.text)}, at_byte))

    def end(self) -> Json:
        entity = self.open.pop().entity
        entity["length"] = units(self.text) - entity["offset"]
        if entity["length"] and entity["type"]:
            self.entities.append(entity)
        return entity

    def done(self) -> tuple[str, list[Json]]:
        return self.text, sorted(self.entities, key=lambda entity: (entity["offset"], -entity["length"]))


_TAGS = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
    "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough", "tg-spoiler": "spoiler", "span": "spoiler",
    "a": "text_link", "code": "code", "pre": "pre", "blockquote": "blockquote", "tg-emoji": "custom_emoji",
}  # fmt: skip
_TOKEN = re.compile(
    r"""<(?P<slash>/?)(?P<tag>[A-Za-z0-9-]*)(?P<attributes>(?:"[^"]*"|'[^']*'|[^>"'])*)>"""
    r"|(?P<broken><)"
    r"|(?P<escape>&(?:\#\d+|\#x[0-9A-Fa-f]+|lt|gt|amp|quot);)"
    r"|(?P<plain>[^<&]+|&)",
)
_ATTRIBUTE = re.compile(r"""([A-Za-z-]+)\s*(?:=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?""")


class _Html:
    def __init__(self, text: str) -> None:
        self._source, self._draft = text, _Draft()

    def parse(self) -> tuple[str, list[Json]]:
        for token in _TOKEN.finditer(self._source):
            if token["broken"]:
                raise _cant(f"Unclosed start tag at byte offset {self._byte(token.start())}")
            if token["plain"] or token["escape"]:
                self._draft.text += token["plain"] or html.unescape(token["escape"])
            elif token["slash"]:
                self._end(token)
            else:
                self._start(token)
        if self._draft.open:
            raise _cant(f'Can\'t find end tag corresponding to start tag "{self._draft.open[-1].name}"')
        return self._draft.done()

    def _byte(self, index: int) -> int:
        return len(self._source[:index].encode())

    def _start(self, token: re.Match[str]) -> None:
        tag, at_byte = token["tag"].lower(), self._byte(token.start())
        attributes = {
            name.lower(): html.unescape(a or b or c) for name, a, b, c in _ATTRIBUTE.findall(token["attributes"])
        }
        if tag not in _TAGS or (tag == "span" and attributes.get("class") != "tg-spoiler"):
            raise _cant(f'Unsupported start tag "{tag}" at byte offset {at_byte}')
        self._draft.begin(tag, self._entity(tag, attributes), at_byte)

    def _entity(self, tag: str, attributes: dict[str, str]) -> Json:
        entity: Json = {"type": _TAGS[tag]}
        match tag:
            case "a" if attributes.get("href"):
                entity["url"] = attributes["href"]
            case "a":  # a link that leads nowhere is plain text to Telegram
                entity["type"] = ""
            case "tg-emoji":
                entity["custom_emoji_id"] = attributes.get("emoji-id", "")
            case "blockquote" if "expandable" in attributes:
                entity["type"] = "expandable_blockquote"
            case "code" if attributes.get("class", "").startswith("language-") and self._inside_pre():
                self._draft.open[-1].entity["language"] = attributes["class"].removeprefix("language-")
                entity["type"] = ""
        return entity

    def _inside_pre(self) -> bool:
        return bool(self._draft.open) and self._draft.open[-1].name == "pre"

    def _end(self, token: re.Match[str]) -> None:
        tag, at_byte = token["tag"].lower(), self._byte(token.start())
        if not self._draft.open:
            raise _cant(f"Unexpected end tag at byte offset {at_byte}")
        expected = self._draft.open[-1].name
        if tag and tag != expected:
            raise _cant(f'Unmatched end tag at byte offset {at_byte}, expected "</{expected}>", found "</{tag}>"')
        self._draft.end()


_MARKS = {"*": "Bold", "_": "Italic", "__": "Underline", "~": "Strikethrough", "||": "Spoiler"}
"""What encloses a stretch of text, and TDLib's name for it."""
_RESERVED = frozenset("_*[]()~`>#+-=|{}.!")
_MARK = re.compile(r"```|`|\*|__|_|~|\|\||!?\[|\]")
_TARGET = re.compile(r"\(((?:\\.|[^)\\])*)\)", re.DOTALL)
_LANGUAGE = re.compile(r"([^\s`]+)\n|\n")


class _MarkdownV2:
    def __init__(self, text: str) -> None:
        self._source, self._at, self._draft = text, 0, _Draft()

    def parse(self) -> tuple[str, list[Json]]:
        while self._at < len(self._source):
            self._step()
        for left in reversed(self._draft.open):
            if left.name == ">":
                self._draft.end()
            else:
                raise self._endless(_MARKS.get(left.name, "Link"), left.at_byte)
        return self._draft.done()

    def _step(self) -> None:
        character = self._source[self._at]
        if character == "\\" and self._at + 1 < len(self._source) and ord(self._source[self._at + 1]) < 127:
            self._take(self._source[self._at + 1], 2)
        elif character == "\n":
            self._take("\n", 1)
            self._leave_quote()
        elif character == ">" and self._at_line_start():
            self._quote()
        elif mark := _MARK.match(self._source, self._at):
            self._mark(mark[0])
        elif character in _RESERVED:
            raise self._reserved(character)
        else:
            self._take(character, 1)

    def _take(self, text: str, length: int) -> None:
        self._draft.text += text
        self._at += length

    def _byte(self) -> int:
        return len(self._source[: self._at].encode())

    def _reserved(self, character: str) -> Refused:
        return _cant(f"Character '{character}' is reserved and must be escaped with the preceding '\\'")

    def _endless(self, name: str, at_byte: int) -> Refused:
        return _cant(f"Can't find end of {name} entity at byte offset {at_byte}")

    def _at_line_start(self) -> bool:
        return not self._draft.text or self._source[self._at - 1] == "\n"

    def _quote(self) -> None:
        if not any(entry.name == ">" for entry in self._draft.open):
            self._draft.begin(">", {"type": "blockquote"}, self._byte())
        self._at += 1

    def _leave_quote(self) -> None:
        if self._draft.open and self._draft.open[-1].name == ">" and not self._source.startswith(">", self._at):
            quote = self._draft.end()
            quote["length"] -= 1  # the line break after it is not part of it
            if not quote["length"]:
                self._draft.entities.remove(quote)

    def _mark(self, mark: str) -> None:
        reader: dict[str, Callable[[], None]] = {
            "```": lambda: self._verbatim("```", "pre"),
            "`": lambda: self._verbatim("`", "code"),
            "[": lambda: self._open_link("text_link", 1),
            "![": lambda: self._open_link("custom_emoji", 2),
            "]": self._close_link,
        }
        if mark in reader:
            reader[mark]()
            return
        innermost = self._draft.open[-1].name if self._draft.open else ""
        if mark == "__" and innermost == "_":  # TDLib closes the innermost first
            mark = "_"
        if mark == innermost:
            self._draft.end()
        else:
            self._draft.begin(mark, {"type": _MARKS[mark].lower()}, self._byte())
        self._at += len(mark)

    def _verbatim(self, fence: str, kind: str) -> None:
        at_byte = self._byte()
        self._draft.begin(fence, {"type": kind}, at_byte)
        self._at += len(fence)
        if kind == "pre" and (language := _LANGUAGE.match(self._source, self._at)):
            if language[1]:
                self._draft.open[-1].entity["language"] = language[1]
            self._at = language.end()
        while not self._source.startswith(fence, self._at):
            if self._at >= len(self._source):
                raise self._endless("PreCode" if kind == "pre" else "Code", at_byte)
            escaped = self._source[self._at : self._at + 2] in ("\\`", "\\\\")
            self._take(self._source[self._at + escaped], 1 + escaped)
        self._at += len(fence)
        self._draft.end()

    def _open_link(self, kind: str, length: int) -> None:
        self._draft.begin("]", {"type": kind}, self._byte())
        self._at += length

    def _close_link(self) -> None:
        if not self._draft.open or self._draft.open[-1].name != "]":
            raise self._reserved("]")
        self._at += 1
        target = _TARGET.match(self._source, self._at)
        link = self._draft.open[-1].entity
        if target is None:
            link["type"] = ""
        elif link["type"] == "custom_emoji":
            link["custom_emoji_id"] = target[1].rpartition("id=")[2]
        else:
            link["url"] = re.sub(r"\\(.)", r"\1", target[1])
        self._at = target.end() if target else self._at
        self._draft.end()
