"""A webhook is told by a task: signed, tried again, guarded, and set aside with its reason."""

import base64
import json
import ssl
import time
from datetime import UTC, datetime, timedelta

import pytest
from memory_swarm import MemorySwarm
from receiver import receiver
from standardwebhooks import Webhook

from sqswarm import agent
from sqswarm.dispatcher.submit import Request, submit
from sqswarm.schemas.errors import InvalidAgent, NotifyRefused
from sqswarm.schemas.notice import WEBHOOKS_VARIABLE
from sqswarm.workers.agents import post as posting
from sqswarm.workers.agents.webhook import webhook

SECRET = "whsec_" + base64.b64encode(b"twenty-four bytes of key").decode()


@agent(timeout=20)
async def work(n: int) -> int:
    return n


@agent(timeout=20)
async def quiet(n: int) -> int:
    return n


@pytest.fixture
def hook():
    with receiver() as here:
        yield here


@pytest.fixture
def local(monkeypatch, hook):
    """The stage is on an emulator, and names the receiver."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setattr(posting, "READ_S", 0.2)

    def names(*urls):
        monkeypatch.setenv(WEBHOOKS_VARIABLE, json.dumps(dict.fromkeys(urls, "env:HOOK_SECRET")))
        return MemorySwarm(work, quiet, webhook, notify=urls)

    return names


async def pass_time(memory, *, minutes):
    for _ in range(minutes):
        await memory.housekeep()


async def reasons(memory):
    return [letter.attributes["reason"] for letter in await memory.letters(webhook)]


async def test_a_receiver_can_trust_what_it_is_told(local, hook):
    memory = local(hook.url)
    task_id = await memory.submit(work, {"notify": hook.url}, n=1)
    await memory.settle_down()
    [(path, headers, body)] = hook.got
    assert path == "/hook?from=sqswarm"
    event = Webhook(SECRET).verify(body, {name.lower(): v for name, v in headers.items()})
    assert event["type"] == "sqswarm.task.completed"
    assert event["subject"] == task_id
    assert headers["webhook-id"] == event["id"]
    kept = json.dumps(list(map(str, memory.kept.values()))) + memory.log.getvalue()
    assert SECRET not in kept
    assert SECRET[6:] not in kept


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([500, 502, (429, {"retry-after": "2"})], id="fails"),
        pytest.param([0.5, 0.5], id="hangs"),
        pytest.param([(307, {"location": "http://169.254.169.254/latest"})] * 2, id="redirects"),
        pytest.param([404, 401], id="refuses"),
    ],
)
async def test_a_receiver_is_told_once_it_recovers(local, hook, answers):
    memory = local(hook.url)
    hook.answers = [*answers]
    await memory.submit(work, {"notify": hook.url}, n=1)
    await memory.settle_down()
    await pass_time(memory, minutes=10)
    assert len(hook.got) == len(answers) + 1
    assert {headers["webhook-id"] for _, headers, _ in hook.got} == {hook.got[0][1]["webhook-id"]}
    assert await reasons(memory) == []
    assert all(item["status"] == "completed" for item in memory.kept.values())


async def test_a_receiver_that_is_gone_is_asked_once(local, hook):
    memory = local(hook.url)
    hook.answers = [410]
    await memory.submit(work, {"notify": hook.url}, n=1)
    await memory.settle_down()
    [reason] = await reasons(memory)
    assert "ReceiverGone" in reason
    assert len(hook.got) == 1


async def test_what_no_receiver_takes_in_its_time_is_set_aside_with_the_reason(local, hook):
    memory = local(hook.url)
    hook.answers = [500] * 100
    await memory.submit(work, {"notify": hook.url}, n=1)
    await memory.settle_down()
    await pass_time(memory, minutes=6 * 60)
    assert len(hook.got) == webhook.spec.max_attempts
    [letter] = await memory.letters(webhook)
    assert "answers 500: not today" in letter.attributes["detail"]


@pytest.mark.parametrize(
    "url",
    [
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/",
        "https://[::ffff:169.254.169.254]/",
        "https://[fd00:ec2::254]/",
        "https://224.0.0.1/",
        "https://100.64.0.1/",
    ],
)
async def test_what_only_this_process_can_reach_is_called_for_nobody(local, url):
    memory = local(url)
    await memory.submit(work, {"notify": url}, n=1)
    await memory.settle_down()
    [reason] = await reasons(memory)
    assert "AddressRefused" in reason


async def test_this_machine_is_called_beside_an_emulator_alone(local, hook, monkeypatch):
    memory = local(hook.url)
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    await memory.submit(work, {"notify": hook.url}, n=1)
    await memory.settle_down()
    [reason] = await reasons(memory)
    assert "AddressRefused" in reason
    assert hook.got == []


async def test_nobody_has_signed_for_others_what_the_project_does_not_name(local, hook):
    memory = local("https://example.com/hook")
    await memory.submit(webhook, url=hook.url, event={"id": "mine"})
    await memory.settle_down()
    [reason] = await reasons(memory)
    assert "NotifyRefused" in reason
    assert hook.got == []


async def test_a_worker_that_dies_before_the_webhooks_task_leaves_it_to_housekeeping(local, hook):
    memory = local(hook.url)
    await memory.submit(work, {"notify": hook.url}, n=1)
    memory.store.dies_after, memory.store.of_kind = 1, "settle"
    await memory.work(work)
    memory.store.dead = False
    memory.bus._queues[memory.queue(work)].messages.clear()
    await pass_time(memory, minutes=3)
    assert len(hook.got) == 1


async def test_told_twice_it_is_one_task(local, hook):
    memory = local(hook.url)
    await memory.submit(work, {"notify": hook.url}, n=1)
    memory.store.dies_after, memory.store.of_kind = 1, "create"
    await memory.work(work)  # the webhook's task is recorded, and its worker dies
    memory.store.dead = False
    memory.clock.advance(seconds=work.spec.visibility_s + 1)
    await memory.settle_down()
    await pass_time(memory, minutes=3)
    assert len(hook.got) == 1
    assert len(memory.kept) == 2


async def test_without_the_agent_the_error_says_which_line_to_add():
    memory = MemorySwarm(work, notify=["https://example.com/hook"])
    with pytest.raises(NotifyRefused) as refused:
        await submit(
            memory.connection,
            "work",
            [Request(arguments={"n": 1}, notify="https://example.com/hook")],
        )
    assert 'Add "sqswarm.workers.agents.webhook"' in refused.value.hint


async def test_a_webhook_is_not_told_of_webhooks(local, hook):
    memory = local(hook.url)
    with pytest.raises(NotifyRefused, match="not told"):
        await memory.submit(webhook, {"notify": hook.url}, url=hook.url, event={"id": "a"})


def test_an_agent_that_names_nobody_is_no_agent():
    with pytest.raises(InvalidAgent, match="neither an ARN"):
        agent(notify="ftp://example.com")(quiet.function)


@pytest.mark.parametrize("said", ["120", "date", "soon", None])
def test_retry_after_is_seconds_or_a_time(said):
    at = datetime.now(UTC) + timedelta(seconds=120)
    text = at.strftime("%a, %d %b %Y %H:%M:%S GMT") if said == "date" else said
    found = posting._seconds(text)
    assert found is None if said in {"soon", None} else 115 < found <= 120


def test_a_signature_is_the_standards_own():
    at = int(time.time())
    headers = posting.signed("msg", b'{"a":1}', SECRET, at_s=at)
    signature = Webhook(SECRET).sign("msg", datetime.fromtimestamp(at, UTC), '{"a":1}')
    assert headers["webhook-signature"] == signature


@pytest.mark.parametrize("secret", ["whsec_", "whsec_not base64!", ""])
def test_a_secret_that_cannot_sign_is_said_to_be_none(secret):
    with pytest.raises(ValueError, match="it is"):
        posting.signed("msg", b"", secret)


def test_the_certificate_is_of_the_name_though_the_address_was_looked_up_before(
    tmp_path, monkeypatch
):
    files = certificate(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
    with receiver(tls=files) as here:
        url = f"https://localhost:{here.port}/"
        assert posting.post(url, "127.0.0.1", b"{}", {}).status == 204
        assert here.got[0][1]["host"] == f"localhost:{here.port}"
        with pytest.raises(posting.NoAnswer, match=r"doesn't match|mismatch"):
            posting.post(f"https://example.com:{here.port}/", "127.0.0.1", b"{}", {})


def certificate(folder, name):
    """Make a certificate that signs itself; return its file and its key's."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    assert ssl.create_default_context(cafile=files[0])
    return files
