"""An agent whose workers renew their leases, as a container's do: leases shorter than its runs."""

from __future__ import annotations

from dataclasses import fields

from sqswarm.schemas.agent_spec import AgentSpec

LEASE_S = 15
"""Shorter than an attempt may be: only its heartbeat lets a long run end."""


class RenewedSpec(AgentSpec):
    """The spec of an agent whose workers renew their leases."""

    @classmethod
    def of(cls, spec: AgentSpec) -> RenewedSpec:
        """Return a spec that is the same but for its leases."""
        return cls(**{one.name: getattr(spec, one.name) for one in fields(spec)})

    @property
    def lease_s(self) -> int:
        """Return the seconds of a lease."""
        return LEASE_S
