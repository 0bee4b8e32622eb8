"""Operations of the ledger: reserve before a call, settle up after it, pause where told to.

Each is part of one transaction: a call's entry and its accounts change together or not at all, and
a repeat of the request whose answer was lost changes nothing.
"""

from __future__ import annotations

from sqswarm.schemas.budget import BudgetAccount, CostCeiling
from sqswarm.schemas.ledger import LedgerEntry
from sqswarm.schemas.writes import Absent, Add, Condition, Key, Le, Lt, Missing, Set, Write


def reserve(
    account: BudgetAccount, ceiling: CostCeiling, *, fresh: bool, expires_s: int
) -> Write | None:
    """Commit a call's worst case to an account, if it still fits.

    `fresh` where the account holds nothing yet: a limit cannot be compared with what is not there.
    None where not even an empty account would do.
    """
    when: list[Condition] = []
    for name, amount, limit in (
        ("committed", ceiling.micro_usd, account.micro_usd),
        ("committed_tokens", ceiling.tokens, account.tokens),
    ):
        if limit is None:
            continue
        if amount > limit:
            return None
        when.append(Missing(name) if fresh else Le(name, limit - amount))
    return Write(
        key=account.key,
        when=tuple(when),
        changes=(
            Add("committed", ceiling.micro_usd),
            Add("committed_tokens", ceiling.tokens),
            Set("ttl", expires_s),
        ),
    )


def settle_reservation(
    account: BudgetAccount, ceiling: CostCeiling, *, micro_usd: int, tokens: int
) -> Write:
    """Replace what was committed for a call by what it cost."""
    return Write(
        key=account.key,
        when=(),
        changes=(
            Add("committed", micro_usd - ceiling.micro_usd),
            Add("committed_tokens", tokens - ceiling.tokens),
            Add("spent", micro_usd),
            Add("spent_tokens", tokens),
        ),
    )


def record_call(entry: LedgerEntry, *, expires_s: int) -> Write:
    """Write a paid call into the ledger, once."""
    return Write(
        key=entry.key,
        when=(Absent(),),
        changes=(
            Set("model", entry.model),
            Set("principal", entry.principal),
            Set("input", entry.tokens.input),
            Set("cache_write", entry.tokens.cache_write),
            Set("cache_read", entry.tokens.cache_read),
            Set("output", entry.tokens.output),
            Set("micro_usd", entry.micro_usd),
            Set("at", entry.at_ms),
            Set("ttl", expires_s),
        ),
    )


def pause_key(whom: str) -> Key:
    """Return where a pause of all calls to `whom` is kept."""
    return Key(pk=f"pause#{whom}", sk="pause")


def pause(whom: str, *, known: bool, until_ms: int, expires_s: int) -> Write:
    """Let every worker wait until `until_ms`, unless they wait longer already.

    `known` where one was ever told to wait: what is not there cannot be compared.
    """
    shorter: Condition = Lt("until", until_ms) if known else Missing("until")
    return Write(
        key=pause_key(whom),
        when=(shorter,),
        changes=(Set("until", until_ms), Set("ttl", expires_s)),
    )
