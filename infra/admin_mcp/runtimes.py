"""Runtimes: which Lambda runtimes AWS supports, and until when. One dated table.

Source: AWS Lambda Developer Guide, "Lambda runtimes" (sections "Supported runtimes" and
"Deprecated runtimes"), https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
AWS moves these dates; a test compares the table with the copy that cfn-lint ships.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

TABLE_DATE = date(2026, 11, 21)
"""When this table was last held against AWS's."""

SOURCE = "https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html"


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """One runtime's dates: end of support, then no new functions, then no updates."""

    name: str
    deprecated: date
    create_blocked: date | None
    update_blocked: date | None

    @property
    def language(self) -> str:
        """Return what a function cannot change by changing its runtime: `python`, `provided`."""
        return language(self.name)

    def supported(self, today: date) -> bool:
        """Tell whether AWS still patches it."""
        return today < self.deprecated

    def may_be_set(self, today: date) -> bool:
        """Tell whether AWS still lets a function be updated to it."""
        return self.update_blocked is None or today < self.update_blocked


def language(runtime: str) -> str:
    """Return a runtime's language: the letters it starts with."""
    found = re.match(r"[a-z]+", runtime)
    return "dotnet" if runtime.startswith("dotnet") else found[0] if found else runtime


def successor(runtime: str, today: date) -> str | None:
    """Return the runtime of the same language whose support ends last."""
    same = [
        other
        for other in RUNTIMES.values()
        if other.language == language(runtime) and other.supported(today) and other.update_blocked
    ]
    # Of two with one end, the newer (listed first) is the better choice.
    return max(same, key=lambda other: other.deprecated).name if same else None


def _table(text: str) -> dict[str, Runtime]:
    rows = (line.split() for line in text.split("\n") if line.strip())
    return {
        name: Runtime(
            name=name,
            deprecated=date.fromisoformat(deprecated),
            create_blocked=None if created == "-" else date.fromisoformat(created),
            update_blocked=None if updated == "-" else date.fromisoformat(updated),
        )
        for name, deprecated, created, updated in rows
    }


# runtime, end of support, functions can no longer be created, no longer be updated
RUNTIMES = _table(
    """
    dotnet10        2028-11-14 2028-12-14 2029-01-15
    dotnet9         2026-11-10 -          -
    dotnet8         2026-11-10 2027-02-01 2027-03-03
    dotnet6         2024-12-20 2027-02-01 2027-03-03
    dotnetcore3.1   2023-04-03 2023-04-03 2023-05-03
    dotnetcore2.1   2022-01-05 2022-01-05 2022-04-13
    dotnetcore2.0   2019-05-30 2019-04-30 2019-05-30
    dotnetcore1.0   2019-06-27 2019-06-30 2019-07-30
    go1.x           2024-01-08 2024-02-08 2027-03-03
    java25          2029-06-30 2029-07-31 2029-08-31
    java21          2029-06-30 2029-07-31 2029-08-31
    java17          2027-06-30 2027-07-31 2027-08-31
    java11          2027-06-30 2027-07-31 2027-08-31
    java8           2024-01-08 2024-02-08 2027-03-03
    java8.al2       2027-06-30 2027-07-31 2027-08-31
    nodejs          2016-08-30 2016-09-30 2016-10-31
    nodejs24.x      2028-04-30 2028-06-01 2028-07-01
    nodejs22.x      2027-04-30 2027-06-01 2027-07-01
    nodejs20.x      2026-04-30 2027-02-01 2027-03-03
    nodejs18.x      2025-09-01 2027-02-01 2027-03-03
    nodejs16.x      2024-06-12 2027-02-01 2027-03-03
    nodejs14.x      2023-12-04 2024-01-09 2027-03-03
    nodejs12.x      2023-03-31 2023-03-31 2023-04-30
    nodejs10.x      2021-07-30 2021-07-30 2022-02-14
    nodejs8.10      2020-03-06 2020-02-04 2020-03-06
    nodejs6.10      2019-08-12 2019-07-12 2019-08-12
    nodejs4.3       2020-03-05 2020-02-03 2020-03-05
    provided        2024-01-08 2024-02-08 2027-03-03
    provided.al2023 2029-06-30 2029-07-31 2029-08-31
    provided.al2    2026-07-31 2027-02-01 2027-03-03
    python3.14      2029-06-30 2029-07-31 2029-08-31
    python3.13      2029-06-30 2029-07-31 2029-08-31
    python3.12      2028-10-31 2028-11-30 2029-01-10
    python3.11      2027-06-30 2027-07-31 2027-08-31
    python3.10      2026-10-31 2027-02-01 2027-03-03
    python3.9       2025-12-15 2027-02-01 2027-03-03
    python3.8       2024-10-14 2027-02-01 2027-03-03
    python3.7       2023-12-04 2024-01-09 2027-03-03
    python3.6       2022-07-18 2022-07-18 2022-08-29
    python2.7       2021-07-15 2021-07-15 2022-05-30
    ruby4.0         2029-03-31 2029-04-30 2029-05-31
    ruby3.4         2028-03-31 2028-04-30 2028-05-31
    ruby3.3         2027-03-31 2027-04-30 2027-05-31
    ruby3.2         2026-03-31 2027-02-01 2027-03-03
    ruby2.7         2023-12-07 2024-01-09 2027-03-03
    ruby2.5         2021-07-30 2021-07-30 2022-03-31
    """
)
