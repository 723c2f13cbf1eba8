"""Times as people say them, in the owner's time zone: one that comes once, or a rule by which one comes again.

A wrong time is worse than a question, so a text is understood as a whole or not at all. English is read here, other
languages with dateparser. Days and hours are counted on the wall clock (a day is not always 24 hours), lengths of time
on the real one.
"""

from essence.agent.when.english import speaks_of_time
from essence.agent.when.points import names_a_time, point_in_time
from essence.agent.when.rules import check_rule, next_time, rule_of

__all__ = ["check_rule", "names_a_time", "next_time", "point_in_time", "rule_of", "speaks_of_time"]
