"""The task store on DynamoDB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from sqswarm.backends.aws.caller import AwsCaller, error_code, translated
from sqswarm.backends.aws.chunks import chunks
from sqswarm.backends.aws.expressions import (
    attribute,
    item_of,
    key_of,
    statement_of,
    transaction_entry,
    update_of,
)
from sqswarm.backends.aws.together import Together
from sqswarm.backends.ports.store import Index, Page, all_written, check_key
from sqswarm.backends.runner import Runner, attempt
from sqswarm.schemas.errors import NotStorable
from sqswarm.schemas.writes import Applied, Item, Key, Refused, Write, WriteOutcome

_STATEMENTS_A_CALL = 25
_KEYS_A_CALL = 100
_TRIES = 6
_CONFLICTS = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
_REFUSALS = frozenset({"ConditionalCheckFailed", "DuplicateItem"})
_NOT_STORABLE = frozenset({"ValidationException", "ValidationError", "SerializationException"})


class DynamoStore:
    """One DynamoDB table; see the port for what each method promises."""

    def __init__(self, caller: AwsCaller, runner: Runner, table: str) -> None:
        """Keep tasks in `table`."""
        self._caller = caller
        self._runner = runner
        self._reads = Together(self._read_batch, size=_KEYS_A_CALL)
        self._table = table

    async def write(self, write: Write) -> WriteOutcome:
        """Carry out one write with UpdateItem."""
        check_key(write.key)
        request = {"TableName": self._table, **update_of(write)}
        for tries_left in range(_TRIES - 1, -1, -1):
            try:
                response = await self._caller.call("dynamodb", "update_item", **request)
                return Applied(item=item_of(response["Attributes"]))
            except ClientError as error:
                code = error_code(error)
                if code == "ConditionalCheckFailedException":
                    old: Any = error.response.get("Item")
                    return Refused(item=item_of(old) if old else None)
                if code in _NOT_STORABLE:
                    raise _not_storable(error) from error
                # A transaction has the item in hand; the SDK does not retry this one.
                if code != "TransactionConflictException" or not tries_left:
                    raise
            await self._runner.sleep(self._pause_s(tries_left))
        raise AssertionError  # the last try returned or raised

    async def transact(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        """Carry out all or none with TransactWriteItems.

        The SDK gives each call a request token, so its own retry of a call whose answer was lost
        is answered, not repeated.
        """
        items = [transaction_entry(write, self._table) for write in writes]
        for tries_left in range(_TRIES - 1, -1, -1):
            try:
                await self._caller.call("dynamodb", "transact_write_items", TransactItems=items)
            except ClientError as error:
                if _is_not_storable(error):
                    raise _not_storable(error) from error
                reasons: list[Any] = error.response.get("CancellationReasons", [])
                codes = {reason.get("Code", "None") for reason in reasons}
                if error_code(error) != "TransactionCanceledException" or not codes:
                    raise
                if "ConditionalCheckFailed" in codes:
                    return [_outcome_of(reason) for reason in reasons]
                if not codes & _CONFLICTS or not tries_left:
                    raise
            else:
                return [Applied() for _ in writes]
            await self._runner.sleep(self._pause_s(tries_left))
        raise AssertionError  # the last try returned or raised

    async def write_many(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        """Carry out the writes; see write_each."""
        return all_written(await self.write_each(writes))

    async def write_each(self, writes: Sequence[Write]) -> list[WriteOutcome | Exception]:
        """Carry out the writes with BatchExecuteStatement, 25 a call.

        One alone goes by UpdateItem, which returns the item, unless it inserts: that never
        replaces anything, whatever it may be said to.
        """
        if len({write.key for write in writes}) != len(writes):
            message = "two writes of one batch name the same key"
            raise ValueError(message)
        if not writes:
            return []
        if len(writes) == 1:
            return [await self._write_alone(writes[0])]
        parts = await self._runner.gather(
            [self._write_batch(part) for part in chunks(writes, _STATEMENTS_A_CALL)]
        )
        return [outcome for part in parts for outcome in part]

    def _statement(self, write: Write) -> dict[str, Any] | None:
        check_key(write.key)
        return statement_of(write, self._table)

    async def _write_alone(
        self, write: Write, tries_left: int = _TRIES - 1
    ) -> WriteOutcome | Exception:
        """Carry out a write with UpdateItem, which the SDK retries.

        An INSERT stays one: a role that may make records need not be able to change them.
        """
        if not write.inserts:
            return await attempt(self.write(write))
        [outcome] = await self._write_batch([write], tries_left)
        return outcome

    async def _write_batch(
        self, writes: Sequence[Write], tries_left: int = _TRIES - 1
    ) -> list[WriteOutcome | Exception]:
        try:
            statements = [self._statement(write) for write in writes]
            response = None
            if None not in statements:
                response = await self._caller.call(
                    "dynamodb", "batch_execute_statement", Statements=statements
                )
        except Exception as error:
            if not _is_not_storable(error):
                return [error] * len(writes)
            if len(writes) == 1:
                return [_not_storable(error)]
            response = None  # one of them spoils the call, nothing says which, none is written
        if response is None:
            return await self._runner.gather([self._write_alone(write) for write in writes])
        return await self._outcomes(writes, response["Responses"], tries_left)

    async def _outcomes(
        self, writes: Sequence[Write], answers: Sequence[dict[str, Any]], tries_left: int
    ) -> list[WriteOutcome | Exception]:
        outcomes: list[WriteOutcome | Exception | None] = []
        unread: list[int] = []
        for index, answer in enumerate(answers):
            refused = answer.get("Error")
            if refused is None:
                new = answer.get("Item")
                outcomes.append(Applied(item=item_of(new) if new else None))
                continue
            if refused["Code"] in _NOT_STORABLE:
                outcomes.append(NotStorable(f"the table refuses it: {refused.get('Message')}"))
                continue
            if refused["Code"] not in _REFUSALS:
                # Throttled or broken for this statement alone.
                outcomes.append(await self._write_again(writes[index], refused, tries_left))
                continue
            old = refused.get("Item") or answer.get("Item")
            if old or writes[index].blind:
                outcomes.append(Refused(item=item_of(old) if old else None))
            else:
                outcomes.append(None)
                unread.append(index)
        if unread:  # a duplicate INSERT is answered without the old item
            found = await attempt(self.read_many([writes[index].key for index in unread]))
            for index in unread:
                outcomes[index] = (
                    found
                    if isinstance(found, Exception)
                    else Refused(item=found.get(writes[index].key))
                )
        return [outcome for outcome in outcomes if outcome is not None]

    async def _write_again(
        self, write: Write, refused: dict[str, Any], tries_left: int
    ) -> WriteOutcome | Exception:
        if write.inserts:
            code, message = refused["Code"], refused.get("Message", "")
            error = ClientError(
                {"Error": {"Code": code, "Message": message}}, "BatchExecuteStatement"
            )
            if _is_not_storable(error):
                return _not_storable(error)
            if not tries_left:
                return translated(error, "dynamodb")
            await self._runner.sleep(self._pause_s(tries_left))
        return await self._write_alone(write, tries_left - 1)

    async def read(self, key: Key) -> Item | None:
        """Return one item with a consistent read."""
        response = await self._caller.call(
            "dynamodb",
            "get_item",
            TableName=self._table,
            Key=key_of(key.pk, key.sk),
            ConsistentRead=True,
        )
        return item_of(response["Item"]) if "Item" in response else None

    async def read_many(self, keys: Sequence[Key]) -> dict[Key, Item]:
        """Return the items that exist, with BatchGetItem, 100 a call."""
        parts = await self._runner.gather(
            [self._reads.ask(part) for part in chunks(keys, _KEYS_A_CALL)]
        )
        found = {key: item for part in parts for key, item in part.items()}
        return {key: found[key] for key in keys if key in found}

    async def _read_batch(self, keys: Sequence[Key]) -> dict[Key, Item]:
        found: dict[Key, Item] = {}
        wanted: list[dict[str, Any]] = [key_of(key.pk, key.sk) for key in dict.fromkeys(keys)]
        pause_s = 0.05
        while wanted:
            response = await self._caller.call(
                "dynamodb",
                "batch_get_item",
                RequestItems={self._table: {"Keys": wanted, "ConsistentRead": True}},
            )
            for wire in response["Responses"].get(self._table, []):
                item = item_of(wire)
                found[Key(pk=item["pk"], sk=item["sk"])] = item
            # What was throttled, or over 16 MB of answer, is named and asked for again.
            wanted = response.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
            if wanted:
                await self._runner.sleep(pause_s)
                pause_s = min(2 * pause_s, 2.0)
        return found

    async def read_group(
        self, pk: str, *, after_sk: str = "", names: Sequence[str] = (), limit: int | None = None
    ) -> list[Item]:
        """Return the items under one partition key, page by page."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk" + (" AND sk > :sk" if after_sk else ""),
            "ExpressionAttributeValues": {
                ":pk": attribute(pk),
                **({":sk": attribute(after_sk)} if after_sk else {}),
            },
            "ConsistentRead": True,
        }
        if names:
            aliases = {f"#{n}": name for n, name in enumerate(("pk", "sk", *names))}
            request["ProjectionExpression"] = ", ".join(aliases)
            request["ExpressionAttributeNames"] = aliases
        items: list[Item] = []
        while True:
            if limit is not None:
                request["Limit"] = limit - len(items)
            response = await self._caller.call("dynamodb", "query", **request)
            items += map(item_of, response["Items"])
            if "LastEvaluatedKey" not in response or len(items) == limit:
                return items
            request["ExclusiveStartKey"] = response["LastEvaluatedKey"]

    async def due(self, shard: str, *, until_ms: int, limit: int) -> list[Key]:
        """Return what is due in one partition of the sweep index."""
        response = await self._caller.call(
            "dynamodb",
            "query",
            TableName=self._table,
            IndexName=Index.SWEEP.value,
            KeyConditionExpression="due_shard = :shard AND due_at <= :until",
            ExpressionAttributeValues={":shard": attribute(shard), ":until": attribute(until_ms)},
            Limit=limit,
        )
        return [Key(pk=w["pk"]["S"], sk=w["sk"]["S"]) for w in response["Items"]]

    def _pause_s(self, tries_left: int) -> float:
        ceiling = 0.05 * 2.0 ** (_TRIES - tries_left)
        return ceiling * (1 + self._runner.jitter()) / 2

    async def newest(
        self, index: Index, partition: str, *, until: str | int | None = None, limit: int
    ) -> Page:
        """Return the last items of a partition, with one Query."""
        hash_key, range_key = index.keys
        condition = "#hash = :hash" + ("" if until is None else " AND #range <= :until")
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": {"#hash": hash_key},
            "ExpressionAttributeValues": {":hash": attribute(partition)},
            "ScanIndexForward": False,
            "Limit": limit,
        }
        if index is not Index.TABLE:
            request["IndexName"] = index.value
        if until is not None:
            request["ExpressionAttributeNames"]["#range"] = range_key
            request["ExpressionAttributeValues"][":until"] = attribute(until)
        response = await self._caller.call("dynamodb", "query", **request)
        items = tuple(item_of(wire) for wire in response["Items"])
        return Page(items=items, more="LastEvaluatedKey" in response)


def _is_not_storable(error: Exception) -> bool:
    if isinstance(error, ClientError):
        return error_code(error) in _NOT_STORABLE
    return isinstance(error, NotStorable)


def _not_storable(error: Exception) -> NotStorable:
    return (
        error if isinstance(error, NotStorable) else NotStorable(f"the table refuses it: {error}")
    )


def _outcome_of(reason: dict[str, Any]) -> WriteOutcome:
    if reason.get("Code") != "ConditionalCheckFailed":
        return Applied()
    old = reason.get("Item")
    return Refused(item=item_of(old) if old else None)
