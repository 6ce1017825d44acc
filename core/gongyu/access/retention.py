"""What access leaves behind is kept as long as it is of use, and the audit log as long as the district says."""

from collections.abc import Sequence
from datetime import time, timedelta

from gongyu.access import attempts, audit, sessions
from gongyu.districts.registry import DistrictState
from gongyu.platform import Platform
from gongyu.plugin import Context, Job
from gongyu.text import Text

__all__ = ["access_jobs"]


async def _forget(context: Context) -> None:
    await attempts.forget_old(context.session, now=context.now)
    await sessions.forget_old(context.session, now=context.now)


def access_jobs(platform: Platform, state: DistrictState) -> Sequence[Job]:
    """The core's jobs about access. Pruning is the tables' owner's work, in a transaction of its own: the role that
    jobs run as may not delete an audit line.
    """

    async def prune(context: Context) -> None:
        kept = max(timedelta(days=state.access.audit_days), audit.SHORTEST_RETENTION)
        await audit.prune(platform.database, context.district, older_than=kept, actor="system")

    forget = Text(zh="清理旧的登录尝试与会话", en="Remove old sign-in attempts and sessions")
    pruning = Text(zh="清理超过保存期的审计记录", en="Remove audit lines past their time")
    return [
        Job("forget_sign_ins", forget, _forget, every="daily", at=time(3, 40)),
        Job("prune_audit", pruning, prune, every="daily", at=time(3, 50)),
    ]
