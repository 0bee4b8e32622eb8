"""Deploy: make a stage what its agents' declarations say, and prove it by reading it back.

The first step of a new stage is its bucket alone, for the code to go into; then the whole
template. The catalogue comes after everything else stands, and the record of it all comes last:
a deployment that did not get there is simply done again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from typing import Any

from sqswarm.backends.aws.caller import ClientFactory
from sqswarm.backends.aws.connect import client_factory, names_of
from sqswarm.infra.account import with_account
from sqswarm.infra.bundle import Bundle, bundle
from sqswarm.infra.deployment.canary import Canary
from sqswarm.infra.deployment.code import replace_code
from sqswarm.infra.deployment.drift import Drift, mend
from sqswarm.infra.deployment.inspect import inspect
from sqswarm.infra.deployment.leftovers import remove_leftovers
from sqswarm.infra.deployment.parked import operators_connection, resume_parked
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
from sqswarm.infra.deployment.replay_check import check_replays
from sqswarm.infra.deployment.stack import ResourceEvent, Stack, StackResource, Watch
from sqswarm.infra.deployment.stacks import Stacks
from sqswarm.infra.deployment.start_check import check_start
from sqswarm.infra.plan import Plan, architecture
from sqswarm.infra.requirements import Requirements, pinned
from sqswarm.infra.resources import Topology
from sqswarm.infra.template import render_bucket_alone, template_names
from sqswarm.infra.template.containers import IMAGE
from sqswarm.infra.template.functions import CODE_KEY
from sqswarm.infra.template.limits import INLINE_LIMIT_BYTES
from sqswarm.schemas.catalogue import CATALOGUE_KEY, Catalogue
from sqswarm.schemas.errors import DeployFailed, SwarmError, UsageError
from sqswarm.schemas.naming import Names
from sqswarm.schemas.settings import Settings

POLL_LOCAL_S = 0.1
POLL_AWS_S = 2.0
SETTLE_LOCAL_S = 2.0
"""How long an emulator may still be at work after it has told of a failure, seconds."""

_MENDING_ROUNDS = 3
_SETTLING_S = 0.3


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """What a deployment did. `mended` and `notes` are sentences for people."""

    names: Names
    agents: tuple[str, ...]
    changed: bool
    code_key: str
    seconds: float
    server_url: str | None = None
    mended: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(kw_only=True)
class Reports:
    """Who is told of progress: `step` in words, `resource` for each event of CloudFormation."""

    step: Callable[[str], None] = field(default=lambda _: None)
    resource: Watch = field(default=lambda _: None)


def deploy(
    settings: Settings,
    plan: Plan,
    reports: Reports | None = None,
    *,
    force: bool = False,
    canary: Canary | None = None,
    packed: Bundle | None = None,
) -> Deployment:
    """Deploy `plan` and return what was done; nothing is done where all is as it should be.

    Tasks under way are replayed against new code first, unless it is deployed by `force`: raises
    UnfitCode, before anything is changed, where one does not fit. With `canary` a share of messages
    goes to the new code first, and it is taken back where it fails there: raises DeployFailed.
    `packed` is the plan's bundle, where whoever deploys has it.
    Raises DeployFailed naming each resource that failed and why, Unreachable where nothing
    answers.
    """
    if canary is not None and not plan.project.keep_versions:
        message = "a canary needs the versions of the functions kept"
        raise UsageError(message, hint="Write keep_versions = true in [tool.sqswarm], and deploy.")
    packed = packed or bundle_of(plan, local=settings.local)
    deployer = _Deployer(
        settings, plan, reports or Reports(), packed=packed, force=force, canary=canary
    )
    return deployer.run()


def stacks_of(settings: Settings, names: Names, clients: ClientFactory) -> Stacks:
    """Return the stage's stacks, asked for as often as their endpoint can bear."""
    cloudformation = clients("cloudformation")
    if settings.local:
        make = partial(Stack, cloudformation, poll_s=POLL_LOCAL_S, settle_s=SETTLE_LOCAL_S)
    else:
        make = partial(Stack, cloudformation, poll_s=POLL_AWS_S)
    return Stacks(make(names.stack), make)


def bundle_of(plan: Plan, *, local: bool) -> Bundle:
    """Return what the functions of a plan run; without requirements on a local emulator."""
    project = plan.project
    extra = (*project.requirements, *pinned(plan.requirements))
    needs = Requirements(
        extra,
        architecture(),
        server=project.server is not None,
        tracing=project.tracing is not None,
    )
    return bundle(
        project.modules,
        requirements=None if local else needs,
        folders=(*project.pythonpath, project.root),
        imported=plan.imported,
    )


def deployed_now(catalogue: Catalogue, old: Catalogue | None) -> bytes:
    """Return a catalogue's text as of a deployment that ends now, after that of `old`."""
    return catalogue.deployed(old, now_ms=int(1000 * time.time())).dump().encode()


class _Deployer:
    """One run of `deploy`: what its steps share."""

    def __init__(
        self,
        settings: Settings,
        plan: Plan,
        reports: Reports,
        *,
        packed: Bundle,
        force: bool,
        canary: Canary | None,
    ) -> None:
        self._begun = time.monotonic()
        self._force = force
        self._canary = canary
        self._notes: tuple[str, ...] = ()
        self._reports = reports
        self._clients = client_factory(settings)
        self._settings = with_account(settings, self._clients)
        self._names = names_of(self._settings)
        self._plan = plan = as_deployed(plan, self._clients("s3"), self._names.bucket)
        self._topology: Topology = plan.topology(self._names)
        self._stacks = stacks_of(settings, self._names, self._clients)
        self._stack = self._stacks.first
        self._release = Release(self._settings, self._topology, self._clients, reports.step)
        self._bundle = packed
        old = read_object(self._clients("s3"), self._names.bucket, CATALOGUE_KEY)
        self._old_catalogue = None if old is None else Catalogue.load(old)
        known = self._old_catalogue
        self._catalogue = plan.catalogue if known is None else plan.catalogue.after(known)

    def run(self) -> Deployment:  # noqa: C901 - its steps, one after another
        s3, bucket = self._clients("s3"), self._names.bucket
        old = read_record(s3, bucket)
        wanted = Record(
            template=self._plan.template_digest,
            code_key=self._bundle.key,
            stack_code_key=self._stack_code_key(old),
            catalogue=sha256(self._catalogue.dump().encode()).hexdigest(),
            places=self._plan.rendered.places,
            parts=tuple(sha256(part.encode()).hexdigest() for part in self._plan.parts),
        )
        if old == wanted:
            self._reports.step("nothing has changed: checking that all of it is there")
            drifts = inspect(self._topology, self._clients)
            if not any(drift.mend is None for drift in drifts):
                finished = self._finished(wanted, changed=False, drifts=drifts)
                try:
                    self._check_start()
                except DeployFailed:
                    # Replaced by hand, perhaps: CloudFormation would see nothing to do.
                    self._reports.step("giving the functions their code again")
                    replace_code(self._topology, self._clients, key=wanted.code_key)
                    self._check_start()
                self._go_live(None)
                return self._with_parked(finished, missed=True)
            self._reports.step("some of it is gone: building it again")
        if old is None or old.code_key != wanted.code_key:
            self._reports.step("checking what the agents import")
            self._bundle.check()
            if old is not None and old.code_key and not self._force:
                self._check_replays()
        exists = self._stack.prepare(self._reports.resource)
        if not exists:
            old = None
            wanted = Record(**{**vars(wanted), "stack_code_key": wanted.code_key})
            self._create_bucket(wanted)
        else:
            self._upload(wanted)
        if old is None or (old.template, old.stack_code_key) != (
            wanted.template,
            wanted.stack_code_key,
        ):
            self._update_stack(wanted, old)
        # Functions have the stack's code, unless the last deployment or `dev` went round the stack.
        went_round = old is not None and old.code_key != old.stack_code_key
        if went_round or wanted.code_key != wanted.stack_code_key:
            self._reports.step("replacing the functions' code")
            replace_code(self._topology, self._clients, key=wanted.code_key)
        self._reports.step("checking every resource")
        drifts = inspect(self._topology, self._clients)
        finished = self._finished(wanted, changed=True, drifts=drifts)
        try:
            self._check_start()
            told = self._go_live(old)
        except (SwarmError, KeyboardInterrupt):
            if old is not None:
                self._take_back(old, wanted)
            raise
        write_object(s3, bucket, CATALOGUE_KEY, deployed_now(self._catalogue, self._old_catalogue))
        write_record(s3, bucket, wanted)
        keep = {wanted.code_key, wanted.stack_code_key, old.code_key if old else ""}
        prune(s3, bucket, keep=keep)
        return self._with_parked(replace(finished, notes=(*finished.notes, *told)))

    def _go_live(self, old: Record | None) -> tuple[str, ...]:
        """Send messages to what is deployed now, where that is not so by itself."""
        canary = None if old is None else self._canary
        if canary is not None and old is not None and self._topology.versioned:
            # Broken off, it is begun again: until it is over nothing is as it should be.
            broken = replace(old, template="", code_key="")
            write_record(self._clients("s3"), self._names.bucket, broken)
        return self._release.go_live(canary)

    def _check_replays(self) -> None:
        self._reports.step("replaying tasks under way")
        try:
            connection = operators_connection(self._settings, self._clients)
        except SwarmError as error:  # there is no swarm yet that could be asked
            self._notes = (f"tasks under way were not replayed: {error}",)
            return
        self._notes = check_replays(connection, self._plan.project)

    def _with_parked(self, finished: Deployment, *, missed: bool = False) -> Deployment:
        """Let parked tasks meet the code that is deployed now."""
        told = (
            *self._release.delete_unneeded(),
            *resume_parked(self._settings, self._clients, self._reports.step, missed=missed),
        )
        return replace(finished, notes=(*finished.notes, *told))

    def _stack_code_key(self, old: Record | None) -> str:
        """Return the code key for the stack itself.

        An emulator takes a second per function to update it through CloudFormation; there the
        stack keeps its first key, and new code goes to the functions by their own API.
        """
        if self._settings.local and old is not None:
            return old.stack_code_key
        return self._bundle.key

    def _create_bucket(self, wanted: Record) -> None:
        """Create the bucket and put the code in, which is packed meanwhile."""
        self._reports.step("creating the stage's bucket, packing the code")
        alone = render_bucket_alone(template_names(self._plan.stage))
        with ThreadPoolExecutor(1) as pool:
            packing = pool.submit(self._bundle.archive)
            self._stack.create(self._reports.resource, TemplateBody=alone)
        self._upload_archive(wanted, packing.result())

    def _upload_archive(self, wanted: Record, archive: bytes) -> None:
        self._reports.step(f"uploading the code ({len(archive) / 1e6:.1f} MB)")
        write_object(self._clients("s3"), self._names.bucket, wanted.code_key, archive)

    def _upload(self, wanted: Record) -> None:
        s3, bucket = self._clients("s3"), self._names.bucket
        if not object_exists(s3, bucket, wanted.code_key):
            self._reports.step("packing the code")
            self._upload_archive(wanted, self._bundle.archive())
        if not object_exists(s3, bucket, wanted.stack_code_key):
            # Pruned or deleted by hand: the stack's next new function would not find it.
            write_object(s3, bucket, wanted.stack_code_key, self._bundle.archive())

    def _update_stack(self, wanted: Record, old: Record | None) -> None:
        before = self._stacks.resources()
        watch = self._reports.resource
        self._reports.step(f"updating the stack {self._names.stack}")
        template = self._stored(self._plan.template, wanted.template)
        try:
            self._stack.update(watch, **self._request(template, wanted))
            if self._plan.parts:
                self._reports.step("updating the stacks of further agents")
            further = zip(self._plan.parts, wanted.parts, strict=True)
            self._stacks.update_further(
                [
                    self._request(self._stored(text, key), wanted, part=True)
                    for text, key in further
                ],
                watch,
            )
        except DeployFailed:
            if self._settings.local or self._plan.parts:  # AWS takes back the failed stack alone
                self._roll_back(old)
            raise
        if self._settings.local:
            self._remove(before)

    def _check_start(self) -> None:
        self._reports.step("starting the functions")
        check_start(self._topology, self._clients, local=self._settings.local)

    def _take_back(self, old: Record, wanted: Record) -> None:
        """Give the functions the code and the template they had: what is new does not start.

        Until that is done the record says that nothing is as it should be.
        """
        s3, bucket = self._clients("s3"), self._names.bucket
        write_record(s3, bucket, replace(old, template="", code_key=""))
        same_stack = (old.template, old.stack_code_key) == (wanted.template, wanted.stack_code_key)
        taken_back = same_stack or self._roll_back(old)
        with suppress(SwarmError):  # what is told is why it does not start
            if self._settings.local or old.code_key != old.stack_code_key:
                self._reports.step("taking the functions' code back")
                replace_code(self._topology, self._clients, key=old.code_key)
            if taken_back:
                write_record(s3, bucket, old)
            resume_parked(self._settings, self._clients)  # what did not start may have parked some

    def _roll_back(self, old: Record | None) -> bool:
        """Take a failed update back, as AWS does by itself; return whether it was.

        LocalStack keeps what failed as if it stood, and then has "no updates to perform"; it says
        the same for a moment after the failure, until it has noted which template it came to.
        """
        self._reports.step("taking back what was done")
        if self._settings.local:
            time.sleep(SETTLE_LOCAL_S)
        before = self._stacks.resources()
        if old is None:
            alone = render_bucket_alone(template_names(self._plan.stage))
            first, further = {"TemplateBody": alone}, []
        else:
            first = self._request(self._kept(old.template), old)
            further = [self._request(self._kept(digest), old, part=True) for digest in old.parts]
        taken_back = self._stacks.roll_back(first, further, self._reports.resource)
        if taken_back and self._settings.local:
            self._remove(before)
        return taken_back

    def _remove(self, before: dict[str, StackResource]) -> None:
        """Delete what the stack listed before, lists no more, and an emulator left there."""
        after = self._stacks.resources()
        gone = [resource for title, resource in before.items() if title not in after]
        for leftover in remove_leftovers(gone, self._clients):
            self._reports.resource(
                ResourceEvent(
                    resource=leftover.resource, kind=leftover.kind, status="DELETE_COMPLETE"
                )
            )

    def _request(
        self, template: dict[str, str], record: Record, *, part: bool = False
    ) -> dict[str, Any]:
        parameters = {CODE_KEY: record.stack_code_key}
        if self._settings.local and self._topology.in_containers and not part:
            parameters[IMAGE] = ""  # emulators have no ECS: there `sqswarm work` runs beside them
        given = [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()]
        return {**template, "Parameters": given}

    def _stored(self, template: str, digest: str) -> dict[str, str]:
        """Keep a template in the bucket; return how CloudFormation is told of it."""
        data = template.encode()
        write_object(self._clients("s3"), self._names.bucket, template_key(digest), data)
        return {"TemplateBody": template} if len(data) <= INLINE_LIMIT_BYTES else self._kept(digest)

    def _kept(self, digest: str) -> dict[str, str]:
        return {"TemplateURL": self._template_url(template_key(digest))}

    def _template_url(self, key: str) -> str:
        bucket = self._names.bucket
        if self._settings.endpoint_url:
            return f"{self._settings.endpoint_url.rstrip('/')}/{bucket}/{key}"
        domain = "amazonaws.com.cn" if self._names.partition == "aws-cn" else "amazonaws.com"
        return f"https://{bucket}.s3.{self._names.region}.{domain}/{key}"

    def _finished(self, record: Record, *, changed: bool, drifts: list[Drift]) -> Deployment:
        notes = mend(drifts)
        vital = [drift for drift in drifts if drift.vital]
        for _ in range(_MENDING_ROUNDS):
            if not vital:
                break
            # LocalStack finishes an update later than it says, and undoes what was mended.
            time.sleep(_SETTLING_S)
            vital = [d for d in inspect(self._topology, self._clients) if d.vital]
            mend(vital)
        return Deployment(
            names=self._names,
            agents=tuple(self._plan.specs),
            changed=changed,
            code_key=record.code_key,
            seconds=time.monotonic() - self._begun,
            server_url=self._server_url(),
            mended=tuple(str(drift) for drift in drifts),
            notes=(*self._plan.notes, *self._notes, *notes),
        )

    def _server_url(self) -> str | None:
        front = self._topology.server
        if front is None:
            return None
        api = self._clients("lambda")
        return str(api.get_function_url_config(FunctionName=front.function.name)["FunctionUrl"])


def template_key(digest: str) -> str:
    """Return where in the bucket the template of a digest lies."""
    return f"templates/{digest}.json"
