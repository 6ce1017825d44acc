"""What has been delivered need not be kept for ever: the lasting record of a deed is its own row and the audit log."""

from datetime import time, timedelta
from typing import Final

import sqlalchemy as sa

from gongyu.events.models import DeliveryRow, EventRow
from gongyu.plugin import Context, Job
from gongyu.text import Text

__all__ = ["CLEANING", "KEPT", "clean"]

#: How long a delivered event can still be looked up: a month, so that a consumer's monthly closing can be traced.
KEPT: Final = timedelta(days=30)
_BATCH: Final = 5000


async def clean(context: Context) -> None:
    """Remove old events of which nothing is pending, and nothing of a plugin is parked; their deliveries go with them.

    A webhook's parked delivery does not hold its event: it was tried for days, and consumers reconcile by the API.
    """
    open_ = sa.exists().where(
        DeliveryRow.event_id == EventRow.id,
        sa.or_(
            DeliveryRow.state == "pending",
            sa.and_(DeliveryRow.state == "parked", ~DeliveryRow.subscriber.startswith("webhook:")),
        ),
    )
    old = (
        sa.select(EventRow.id)
        .where(EventRow.fanned_at < context.now - KEPT, ~open_)
        .order_by(EventRow.seq)
        .limit(_BATCH)
        .scalar_subquery()
    )
    delete = sa.delete(EventRow).where(EventRow.id.in_(old)).returning(EventRow.id)
    while (
        len((await context.session.execute(delete, execution_options={"synchronize_session": False})).all()) == _BATCH
    ):
        pass


#: The core's own scheduled work, in every district, beside that of the plugins.
CLEANING: Final = Job(
    name="clean_events",
    title=Text(zh="清理已送达的旧事件", en="Remove old delivered events"),
    run=clean,
    every="daily",
    at=time(3, 30),
)
