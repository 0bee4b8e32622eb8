"""Destroy: take a stage down, with everything in it."""

from __future__ import annotations

from dataclasses import dataclass

from sqswarm.backends.aws.connect import client_factory, names_of
from sqswarm.infra.account import with_account
from sqswarm.infra.deploy import Reports, stacks_of
from sqswarm.infra.deployment.leftovers import remove_leftovers
from sqswarm.infra.deployment.record import empty
from sqswarm.schemas.naming import Names
from sqswarm.schemas.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Destruction:
    """What was taken down; `existed` is False where there was nothing."""

    names: Names
    existed: bool
    objects: int


def destroy(settings: Settings, reports: Reports | None = None) -> Destruction:
    """Delete the stage's stack, its table and its bucket with all they hold.

    A second call finds nothing and says so. Raises DeployFailed for what could not be deleted.
    """
    tell = reports or Reports()
    clients = client_factory(settings)
    settings = with_account(settings, clients)
    names = names_of(settings)
    stacks = stacks_of(settings, names, clients)
    before = stacks.resources()
    if stacks.first.status() is None:
        return Destruction(names=names, existed=False, objects=0)
    tell.step(f"emptying the bucket {names.bucket}")
    objects = empty(clients("s3"), names.bucket)
    tell.step(f"deleting the stack {names.stack}")
    stacks.delete(tell.resource)
    if settings.local:
        # An emulator may forget some of it; on AWS the stack's word is enough.
        list(remove_leftovers(before.values(), clients))
    return Destruction(names=names, existed=True, objects=objects)
