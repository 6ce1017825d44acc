"""Words that speak of harm, and what a writer must read before such a letter goes out.

The school has to report at once when it learns of harm (未成年人保护法 11): whoever writes is told so before, because
a promise of silence that cannot be kept is worse than none. The list is data of the district; it looks for the words
as they are written by children, with spaces or signs between, and it is a net with holes: nothing hangs on it but the
text shown and the draft of a report.
"""

import unicodedata
from collections.abc import Iterable
from typing import Final

from gongyu.plugin import Text
from gongyu.web import ProblemError

__all__ = ["PROTOCOL", "asks_for_help", "must_be_acknowledged"]

PROTOCOL: Final = Text(
    zh="你写到的事，可能说明有人正在受到伤害。先请知道：这不是你的错，你可以得到帮助。按照《未成年人保护法》第十一条，学校"
    "得知后必须立即向公安机关和教育行政部门报告（强制报告），不能替你保密。收信人会马上看到这封信需要按强制报告处理；"
    "被怀疑的人看不到报告。匿名信没有人知道是谁写的，想让别人来帮你，请在信里写明你是谁、在哪里。如果你现在就有危险，"
    "请立即拨打 110，或拨打下面的求助电话，也可以马上去找一位你信任的大人。",
    en="What you write about may mean that somebody is being hurt. First of all: it is not your fault, and there is "
    "help. By article 11 of the Law on the Protection of Minors the school must report it to the police and the "
    "education authority at once (mandatory report); it cannot keep it secret. Whoever receives the letter is told "
    "right away that it calls for a report; those under suspicion do not see the report. Nobody knows who wrote an "
    "anonymous letter: if you want somebody to come and help, say in it who and where you are. If you are in danger "
    "now, call 110, or one of the lines below, or go to a grown-up you trust.",
)


def asks_for_help(words: str, *, listed: Iterable[str]) -> bool:
    """Whether one of the listed words stands in the text, whatever stands between its characters."""
    text = _bare(words)
    return any(bare in text for bare in map(_bare, listed) if bare)


def _bare(text: str) -> str:
    """Letters and digits alone, full-width as half-width, capitals as small."""
    return "".join(one for one in unicodedata.normalize("NFKC", text).casefold() if one.isalnum())


def must_be_acknowledged() -> ProblemError:
    return ProblemError("invalid", PROTOCOL, errors=[("/acknowledged", PROTOCOL)])
