"""Reload: give a stage's functions new code, quickly and without losing what runs.

Where the declarations are as they were, nothing but the functions' code is replaced, round
CloudFormation: an invocation that runs ends on the code it began with, the next one has the new.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256

from sqswarm.backends.aws.caller import ClientFactory
from sqswarm.backends.aws.connect import client_factory, names_of
from sqswarm.infra.account import with_account
from sqswarm.infra.deploy import Reports, bundle_of, deploy, deployed_now
from sqswarm.infra.deployment.code import replace_code
from sqswarm.infra.deployment.parked import resume_parked
from sqswarm.infra.deployment.record import (
    Record,
    as_deployed,
    object_exists,
    prune,
    read_object,
    read_record,
    write_object,
    write_record,
)
from sqswarm.infra.deployment.release import Release
from sqswarm.infra.deployment.start_check import check_start
from sqswarm.infra.plan import Plan
from sqswarm.schemas.catalogue import CATALOGUE_KEY, Catalogue
from sqswarm.schemas.errors import DeployFailed
from sqswarm.schemas.settings import Settings

_LOOK_EVERY_LOCAL_S = 0.02
_LOOK_EVERY_AWS_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Reloaded:
    """What a reload did: `nothing`, the `code` alone, or the whole `stack`."""

    what: str
    notes: tuple[str, ...] = ()


@dataclass(kw_only=True)
class Reloader:
    """Reloads one stage; asks for its clients and account once."""

    settings: Settings
    live: Callable[[], None] = field(default=lambda: None)
    """Called when the functions have the new code; what is checked then takes longer."""

    def __post_init__(self) -> None:
        """Connect to the stage."""
        self._clients: ClientFactory = client_factory(self.settings)
        self._names = names_of(with_account(self.settings, self._clients))

    def reload(self, plan: Plan, reports: Reports) -> Reloaded:
        """Bring the stage to `plan`; raises as `deploy` does, and then the old code goes on."""
        s3, bucket = self._clients("s3"), self._names.bucket
        plan = as_deployed(plan, s3, bucket)
        old = read_record(s3, bucket)
        if old is None or old.template != plan.template_digest:
            done = deploy(self.settings, plan, reports)
            self.live()
            return Reloaded(what="stack" if done.changed else "nothing", notes=done.notes)
        return self._replace(plan, old)

    def _replace(self, plan: Plan, old: Record) -> Reloaded:
        s3, bucket, local = self._clients("s3"), self._names.bucket, self.settings.local
        bundle = bundle_of(plan, local=local)
        before = read_object(s3, bucket, CATALOGUE_KEY)
        known = None if before is None else Catalogue.load(before)
        catalogue = plan.catalogue if known is None else plan.catalogue.after(known)
        digest = sha256(catalogue.dump().encode()).hexdigest()
        wanted = replace(old, code_key=bundle.key, catalogue=digest)
        if wanted == old:
            return Reloaded(what="nothing")
        bundle.check()
        if not object_exists(s3, bucket, wanted.code_key):
            write_object(s3, bucket, wanted.code_key, bundle.archive())
        topology = plan.topology(self._names)
        every_s = _LOOK_EVERY_LOCAL_S if local else _LOOK_EVERY_AWS_S
        replace_code(topology, self._clients, key=wanted.code_key, look_every_s=every_s)
        self.live()
        try:
            check_start(topology, self._clients, local=local)
            Release(self.settings, topology, self._clients).go_live()
        except DeployFailed:
            replace_code(topology, self._clients, key=old.code_key, look_every_s=every_s)
            resume_parked(self.settings, self._clients)
            raise
        write_object(s3, bucket, CATALOGUE_KEY, deployed_now(catalogue, known))
        write_record(s3, bucket, wanted)
        prune(s3, bucket, keep={wanted.code_key, wanted.stack_code_key, old.code_key})
        return Reloaded(what="code", notes=resume_parked(self.settings, self._clients))
