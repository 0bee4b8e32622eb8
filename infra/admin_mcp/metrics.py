"""Metrics: what CloudWatch counted. Where it has no value none is made up."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_A_CALL = 500
"""Source: CloudWatch API, GetMetricData: up to 500 queries."""

_PERIOD_S = 60
_POINTS_LIMIT = 1000


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric of one resource."""

    namespace: str
    name: str
    dimension: tuple[str, str]
    statistic: str = "Sum"


def latest(client: Any, metrics: Mapping[str, Metric], *, seconds: int) -> dict[str, float]:
    """Return each metric's newest value in the last `seconds`, by key, where it has one."""
    return {
        key: values[0]
        for key, values in _values(client, metrics, seconds=seconds).items()
        if values
    }


def totals(client: Any, metrics: Mapping[str, Metric], *, seconds: int) -> dict[str, float]:
    """Return each metric's sum over the last `seconds`, by key, where it has one."""
    return {
        key: sum(values)
        for key, values in _values(client, metrics, seconds=seconds).items()
        if values
    }


def _values(client: Any, metrics: Mapping[str, Metric], *, seconds: int) -> dict[str, list[float]]:
    end = time.time()
    # Whole minutes, and few enough of them for one answer.
    period = _PERIOD_S * max(1, -(-seconds // (_PERIOD_S * _POINTS_LIMIT)))
    keys = list(metrics)
    found: dict[str, list[float]] = {}
    for first in range(0, len(keys), _A_CALL):
        part = keys[first : first + _A_CALL]
        pages = client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[
                {"Id": f"m{number}", "MetricStat": _stat(metrics[key], period), "ReturnData": True}
                for number, key in enumerate(part)
            ],
            StartTime=datetime.fromtimestamp(end - seconds, UTC),
            EndTime=datetime.fromtimestamp(end + _PERIOD_S, UTC),
            ScanBy="TimestampDescending",
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                key = part[int(result["Id"][1:])]
                found.setdefault(key, []).extend(result["Values"])
    return found


def _stat(metric: Metric, period: int) -> dict[str, Any]:
    name, value = metric.dimension
    return {
        "Metric": {
            "Namespace": metric.namespace,
            "MetricName": metric.name,
            "Dimensions": [{"Name": name, "Value": value}],
        },
        "Period": period,
        "Stat": metric.statistic,
    }
