"""Keep a FIFO queue's message group locked while any of its messages is in flight."""

from localstack.services.sqs.models import FifoQueue, SqsMessage


def lock_message_groups() -> None:
    """Replace how LocalStack's FIFO queues take messages back.

    Stock LocalStack unlocks the group with the first of its messages that becomes visible, also
    while an earlier one is still hidden; and a hidden message of one group keeps those of all
    others from coming back. AWS returns no message of a group "unless you delete the message, or
    it becomes visible" (SQS Developer Guide, "FIFO queue delivery logic").
    """
    FifoQueue._put_message = _put_message  # noqa: SLF001 - the only seam there is
    FifoQueue.requeue_inflight_messages = _requeue_inflight_messages


def _put_message(self: FifoQueue, message: SqsMessage) -> None:
    group = self.get_message_group(message.message_group_id)
    with self.mutex:
        was_empty = group.empty()
        group.push(message)
        if group not in self.inflight_groups:
            # A group that holds messages is in the queue of groups already.
            if was_empty:
                self.message_group_queue.put_nowait(group)
        elif message.receive_count:
            self.update_message_group_visibility(group)  # unlocks it after the last one


def _requeue_inflight_messages(self: FifoQueue) -> None:
    with self.mutex:
        for message in list(self.inflight):
            if message.is_visible:
                del self.inflight[message]
                self._put_message(message)
