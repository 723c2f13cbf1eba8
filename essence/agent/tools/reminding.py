"""What June is to say or to do at a time: once, or again and again."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from pydantic import Field

from essence.agent.job import utc_now
from essence.agent.tools.memory import stems
from essence.agent.tools.tool import AnyTool, Arguments, Call, Kind, Tool, typed
from essence.agent.when import names_a_time, next_time, point_in_time, rule_of
from essence.errors import InvalidInput
from essence.ports import Journal, Reminders
from essence.work import Reminder

# An example tells a small model more than a description.
_REMIND = (
    "Set a timer, alarm or reminder that comes once. "
    '"Remind me in 5 minutes to stretch" is {"when": "in 5 minutes", "text": "stretch"}'
)
_SCHEDULE = (
    "Set a reminder, or work, that comes again and again. "
    '"Every day at 8 remind me to run" is {"when": "every day at 8", "text": "run"}'
)
_CANCEL = 'Drop a timer or reminder. "Cancel the reminder to run" is {"which": "run"}'
REMINDERS_MAX = 500
"""Of one person."""


class Remind(Arguments):
    """What is said once."""

    when: str = Field(
        min_length=1,
        max_length=200,
        description="The time in the owner's own words, such as: in 10 minutes; tomorrow at 9; at 18:30.",
    )
    text: str = Field(default="", max_length=1000, description="What to remind them of, in a few words.")


class Schedule(Arguments):
    """What is said, or done, again and again."""

    when: str = Field(
        min_length=1,
        max_length=200,
        description="The repeated time in the owner's words, such as: every day at 7; every Monday at 9:00.",
    )
    text: str = Field(min_length=1, max_length=1000, description="What to remind them of, or what to do.")
    work: bool = Field(default=False, description="True: do what the text says each time, rather than only say it.")


class Reminded(Arguments):
    """Nothing is needed."""


class Cancel(Arguments):
    """What is dropped."""

    which: str = Field(min_length=1, max_length=200, description="Number of the reminder, or words that are in it.")


def reminder_tools(
    reminders: Reminders, journal: Journal, zone: ZoneInfo, now: Callable[[], datetime] = utc_now
) -> tuple[AnyTool, ...]:
    """`remind`, `schedule`, `reminders`, `cancel_reminder`. `zone`: the owner's."""
    clockwork = _Clockwork(reminders, journal, zone, now)
    proves: frozenset[Kind] = frozenset({"reminder"})
    return (
        Tool("remind", _REMIND, *typed(Remind), clockwork.remind, effect="change", proves=proves, final=True),
        Tool("schedule", _SCHEDULE, *typed(Schedule), clockwork.schedule, effect="change", proves=proves, final=True),
        Tool("reminders", "List the timers and reminders to come.", *typed(Reminded), clockwork.show, final=True),
        # Not repeatable: its words may fit another reminder once the one that they meant is gone.
        Tool("cancel_reminder", _CANCEL, *typed(Cancel), clockwork.cancel,
             effect="change", proves=proves | {"forgetting"}, final=True, repeatable=False),
    )  # fmt: skip


class _Clockwork:
    def __init__(self, reminders: Reminders, journal: Journal, zone: ZoneInfo, now: Callable[[], datetime]) -> None:
        self._reminders, self._journal, self._zone, self._now = reminders, journal, zone, now

    async def remind(self, call: Call, wanted: Remind) -> str:
        when = self._when(call, wanted.when)
        due_at = point_in_time(when, (await self._counted_from(call, when)).astimezone(self._zone))
        kept = await self._add(call, wanted.text or "Time is up.", due_at, rule="", works=False)
        return f"Reminder {kept.reminder_id} is set for {self._shown(kept.due_at)}: {kept.text}"

    async def _counted_from(self, call: Call, when: str) -> datetime:
        """From when "in ten minutes" and "tomorrow" count: the owner's own words from when their message came, however
        late it is worked on; what a model has reckoned itself from now, which is the time that it was told.

        Of a task that somebody wants tried again all counts from when that is done.
        """
        if call.job.round == 0 and _words(when) <= _words(call.job.words):
            for step in await self._journal.timed(call.request.key):
                if step.name == call.request.voucher:
                    return step.at
        return self._now()

    def _when(self, call: Call, when: str) -> str:
        """The owner's own words, where the model's name no time and theirs do."""
        words = call.job.words
        if not names_a_time(when) and words and names_a_time(words):
            return words
        return f"wake me {when}" if "wake" in words.casefold() else when

    async def schedule(self, call: Call, wanted: Schedule) -> str:
        rule = rule_of(wanted.when)
        first_at = next_time(rule, self._zone, await self._counted_from(call, wanted.when))
        kept = await self._add(call, wanted.text, first_at, rule, works=wanted.work)
        return f"Reminder {kept.reminder_id} is set, first for {self._shown(kept.due_at)} and then on: {kept.text}"

    async def _add(self, call: Call, text: str, due_at: datetime, rule: str, *, works: bool) -> Reminder:
        request = call.request
        if len(await self._reminders.of(request.address.platform, request.person_id)) >= REMINDERS_MAX:
            raise InvalidInput(f"There are {REMINDERS_MAX} reminders already. Cancel some first.")
        reminder = Reminder(
            "", request.address, request.person_id, text, due_at, rule, self._zone.key, request.spoken,
            request.language, works,
        )  # fmt: skip
        return await self._reminders.add(reminder, key=call.key)

    async def show(self, call: Call, _: Reminded) -> str:
        known = await self._all(call)
        lines = [f"- {one.reminder_id}: {self._shown(one.due_at)}, {one.text}{_repeats(one)}" for one in known]
        return "\n".join(lines) or "There are no reminders to come."

    async def cancel(self, call: Call, unwanted: Cancel) -> str:
        request = call.request
        reminder = self._one(await self._all(call), unwanted.which)
        await self._reminders.cancel(request.address.platform, request.person_id, reminder.reminder_id)
        return f"Canceled: {reminder.text} ({self._shown(reminder.due_at)})"

    async def _all(self, call: Call) -> tuple[Reminder, ...]:
        return await self._reminders.of(call.request.address.platform, call.request.person_id)

    def _one(self, known: Sequence[Reminder], which: str) -> Reminder:
        number = which.strip("#. ")
        found = [one for one in known if one.reminder_id == number]
        found = found or [one for one in known if stems(which) & stems(one.text)]
        found = found or ([*known] if len(known) == 1 else [])
        if len(found) == 1:
            return found[0]
        if not found:
            raise InvalidInput("There is no such reminder. Use reminders to see them.")
        choice = "; ".join(f"{one.reminder_id}: {one.text}" for one in found)
        raise InvalidInput(f"Several fit. Ask the owner which one they mean: {choice}")

    def _shown(self, at: datetime) -> str:
        return f"{at.astimezone(UTC).astimezone(self._zone):%A, %Y-%m-%d at %H:%M}"


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


def _repeats(reminder: Reminder) -> str:
    return f" (again and again: {reminder.rule})" if reminder.rule else ""
