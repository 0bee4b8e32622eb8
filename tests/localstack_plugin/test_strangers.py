"""An emulator answers who knows its key id, and no web page; nothing else may act or read."""

import http.client
import json
import shutil
import socket
import stat
import subprocess
import urllib.error
import urllib.request
from urllib.parse import urlencode, urlsplit

import boto3
import pytest

from sqswarm.backends.aws.connect import client
from sqswarm.infra.local import down, environment_variables, up
from sqswarm.infra.local.home import current_path, home, run_dir
from sqswarm.schemas.settings import Settings

from .conftest import Cloud, free_port

pytestmark = pytest.mark.localstack

TEMPLATE = json.dumps(
    {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "mine"}}}}
)
CREATE_STACK = urlencode(
    {
        "Action": "CreateStack",
        "StackName": "mine",
        "TemplateBody": TEMPLATE,
        "Version": "2010-05-15",
    }
)
CREATE_QUEUE = urlencode({"Action": "CreateQueue", "QueueName": "mine", "Version": "2012-11-05"})
RESET = {"localstack": "/_localstack/state/reset", "ministack": "/_ministack/reset"}
TABLE = json.dumps(
    {
        "TableName": "mine",
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
    }
)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PLAIN = {"Content-Type": "text/plain"}
REQUESTS = [
    pytest.param("GET", f"/?{CREATE_STACK}", None, {}, id="create-stack-by-link"),
    pytest.param("POST", "/", CREATE_STACK, FORM, id="create-stack-by-form"),
    pytest.param("GET", f"/?{CREATE_QUEUE}", None, {}, id="create-queue-by-link"),
    pytest.param("POST", "/", CREATE_QUEUE, FORM, id="create-queue-by-form"),
    pytest.param(
        "POST", "/", TABLE, {"X-Amz-Target": "DynamoDB_20120810.CreateTable"}, id="create-table"
    ),
    pytest.param("PUT", "/mine", None, {}, id="create-bucket"),
    pytest.param("GET", "/kept", None, {}, id="list-objects"),
    pytest.param("GET", "/kept/secret", None, {}, id="read-object"),
    pytest.param("POST", "/2015-03-31/functions", "{}", {}, id="create-function"),
    pytest.param("GET", "/2015-03-31/functions/", None, {}, id="list-functions"),
    pytest.param("POST", "/_localstack/state/reset", "", PLAIN, id="reset"),
    pytest.param("POST", "/_ministack/reset", "", PLAIN, id="reset-of-ministack"),
    pytest.param("POST", "//_localstack/state/reset", "", PLAIN, id="reset-with-two-slashes"),
    pytest.param("POST", "/%5Flocalstack/state/reset", "", PLAIN, id="reset-in-disguise"),
    pytest.param("POST", "/_localstack/health", '{"action": "kill"}', PLAIN, id="kill"),
    pytest.param("GET", "/_localstack/info", None, {}, id="info"),
    pytest.param("GET", "/_localstack/plugins", None, {}, id="plugins"),
    pytest.param("GET", "/_aws/sqs/messages", None, {}, id="messages"),
    pytest.param("OPTIONS", "/", None, {}, id="preflight"),
]


def credential(key_id):
    return f"AWS4-HMAC-SHA256 Credential={key_id}/20260101/us-east-1/sqs/aws4_request, Signature=0"


class Answer:
    def __init__(self, status, body):
        self.status = status
        self.body = body


@pytest.fixture(scope="module")
def ask(emulator):
    """Send a request as it is, without any credentials."""

    def send(method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=30)
        connection.request(
            method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        answer = connection.getresponse()
        said = Answer(answer.status, answer.read().decode())
        connection.close()
        return said

    return send


@pytest.fixture(scope="module")
def kept(cloud):
    """What is there, and stays as it is whoever asks."""
    cloud.s3.create_bucket(Bucket="kept")
    cloud.s3.put_object(Bucket="kept", Key="secret", Body=b"for the owner")

    def everything():
        return {
            "queues": cloud.sqs.list_queues().get("QueueUrls", []),
            "tables": cloud.dynamodb.list_tables()["TableNames"],
            "buckets": [bucket["Name"] for bucket in cloud.s3.list_buckets()["Buckets"]],
            "functions": [f["FunctionName"] for f in cloud.lambda_.list_functions()["Functions"]],
            "stacks": [s["StackName"] for s in cloud.cloudformation.describe_stacks()["Stacks"]],
        }

    return everything


@pytest.fixture(scope="module")
def function_url(cloud):
    """The host of a Function URL whose function says what it was sent."""
    name = cloud.function(
        "import json\n"
        "def handler(e, c):\n"
        "    return {'statusCode': 200, 'body': json.dumps(['ours', e['rawPath']])}"
    )
    cloud.lambda_.add_permission(
        FunctionName=name,
        StatementId="all",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
    )
    made = cloud.lambda_.create_function_url_config(FunctionName=name, AuthType="NONE")
    return urlsplit(made["FunctionUrl"]).netloc


def is_refused(answer, *, why="sqswarm env"):
    return answer.status == http.HTTPStatus.FORBIDDEN and why in answer.body


def is_nothing(answer):
    """Refused or not found; a preflight's answer is empty."""
    return answer.status >= http.HTTPStatus.BAD_REQUEST or not answer.body


@pytest.mark.parametrize("authorization", [None, credential("test"), credential("000000000000")])
@pytest.mark.parametrize(("method", "path", "body", "headers"), REQUESTS)
def test_without_the_key_nothing_is_read_or_done(
    ask, kept, method, path, body, headers, authorization
):
    before = kept()
    given = {**headers, "Authorization": authorization} if authorization else headers
    assert is_refused(ask(method, path, body, **given))
    assert kept() == before


@pytest.mark.parametrize("name", ["X-Amz-Credential", "AWSAccessKeyId"])
def test_a_wrong_key_in_the_query_is_refused(ask, name):
    assert is_refused(ask("GET", f"/kept/secret?{name}=test%2F2026&Signature=x&Expires=1"))


def test_almost_the_key_is_refused(ask, emulator):
    almost = emulator.access_key_id[:-1] + ("A" if emulator.access_key_id[-1] != "A" else "B")
    assert is_refused(ask("GET", "/", Authorization=credential(almost)))
    assert is_refused(ask("GET", "/", Authorization=credential(emulator.access_key_id[:13])))
    assert is_refused(ask("GET", "/", Authorization=f"Bearer {emulator.access_key_id}"))


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:4566", "127.0.0.1.evil.example", "localhost.evil.example", ""],
)
def test_a_foreign_host_is_refused_even_with_the_key(ask, emulator, host):
    """A page whose host name was rebound to this machine is of the same origin to the browser."""
    known = credential(emulator.access_key_id)
    for path in ("/_localstack/health", f"/?{CREATE_QUEUE}"):
        answer = ask("GET", path, Authorization=known, Host=host)
        assert is_refused(answer, why="is not this machine")


@pytest.mark.parametrize("host", ["localhost", "[::1]:4566", "s3.localhost.localstack.cloud:4566"])
def test_every_name_of_this_machine_is_answered(ask, emulator, host):
    health = f"/_{emulator.kind}/health"
    assert ask("GET", health, Host=host).status == http.HTTPStatus.OK


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_web_page_is_refused_even_with_the_key(ask, emulator, kept, function_url, site):
    known = credential(emulator.access_key_id)
    before = kept()
    for method, path in (
        ("GET", "/_localstack/health"),
        ("GET", f"/?{CREATE_QUEUE}"),
        ("POST", RESET[emulator.kind]),
    ):
        answer = ask(method, path, Authorization=known, Sec_Fetch_Site=site)
        assert is_refused(answer, why="another web page")
    answer = ask("GET", "/", Host=function_url, Sec_Fetch_Site=site)
    assert is_refused(answer, why="another web page")
    assert kept() == before


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_an_address_typed_into_the_browser_is_answered(ask, emulator, site):
    answer = ask("GET", f"/_{emulator.kind}/health", Sec_Fetch_Site=site)
    assert answer.status == http.HTTPStatus.OK
    known = credential(emulator.access_key_id)
    answer = ask("GET", "/?Action=ListQueues", Authorization=known, Sec_Fetch_Site=site)
    assert answer.status == http.HTTPStatus.OK


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_curl_gets_nothing_without_the_key_and_everything_with_it(emulator, kept):
    def curl(*arguments):
        command = ["curl", "--silent", "--show-error", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    link = f"{emulator.endpoint_url}/?{CREATE_STACK}"
    before = kept()
    assert "sqswarm env" in curl(link)
    assert kept() == before
    key = f"{emulator.access_key_id}:{emulator.secret}"
    signed = ("--aws-sigv4", "aws:amz:us-east-1:sqs", "--user", key)
    assert "ListQueuesResponse" in curl(*signed, f"{emulator.endpoint_url}/?Action=ListQueues")


def test_an_sdk_reads_out_how_to_get_the_key(emulator):
    for service, operation in (
        ("sqs", "list_queues"),
        ("sns", "list_topics"),
        ("lambda", "list_functions"),
        ("s3", "list_buckets"),
    ):
        stranger = boto3.client(
            service,
            endpoint_url=emulator.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        with pytest.raises(stranger.exceptions.ClientError, match="sqswarm env") as refused:
            getattr(stranger, operation)()
        assert "AccessDenied" in refused.value.response["Error"]["Code"]


def test_a_presigned_link_is_as_good_as_the_key_that_it_carries(cloud, kept, emulator):
    link = cloud.s3.generate_presigned_url("get_object", Params={"Bucket": "kept", "Key": "secret"})
    with urllib.request.urlopen(link) as answer:
        assert answer.read() == b"for the owner"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(link.replace(emulator.access_key_id, "test"))


def test_a_functions_address_needs_no_key(ask, function_url):
    answer = ask("GET", "/some/path", Host=function_url)
    assert json.loads(answer.body) == ["ours", "/some/path"]


@pytest.mark.parametrize(("method", "path", "body", "headers"), REQUESTS)
def test_a_functions_address_leads_to_the_function_only(
    ask, kept, function_url, method, path, body, headers
):
    before = kept()
    answer = ask(method, path, body, Host=function_url, **headers)
    assert is_nothing(answer) or "ours" in answer.body
    assert kept() == before


@pytest.mark.parametrize(
    "host", ["none.lambda-url.us-east-1.localhost", "none.execute-api.localhost"]
)
@pytest.mark.parametrize(("method", "path", "body", "headers"), REQUESTS)
def test_an_address_of_no_function_leads_nowhere(ask, kept, host, method, path, body, headers):
    before = kept()
    assert is_nothing(ask(method, path, body, Host=host, **headers))
    assert kept() == before


def test_issued_credentials_are_known_and_stand_for_their_role(cloud, emulator):
    role = cloud.iam.create_role(RoleName="reader", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    given = cloud.sts.assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    session = boto3.client(
        "sts",
        endpoint_url=emulator.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )
    assert session.get_caller_identity()["Arn"].endswith(":assumed-role/reader/session")


def test_each_account_has_resources_of_its_own(cloud, emulator):
    other = Cloud(emulator, account="111111111111")
    url, arn = other.queue()
    table = other.table()
    assert other.sts.get_caller_identity()["Account"] == "111111111111"
    assert ":111111111111:" in arn
    assert url not in cloud.sqs.list_queues().get("QueueUrls", [])
    assert table not in cloud.dynamodb.list_tables()["TableNames"]
    function = other.function(
        "import boto3\n"
        "def handler(e, c): return boto3.client('sts').get_caller_identity()['Account']"
    )
    assert other.invoke(function).payload == "111111111111"
    assert function not in {f["FunctionName"] for f in cloud.lambda_.list_functions()["Functions"]}


def test_the_key_is_kept_from_other_users_and_goes_with_the_emulator(sqswarm_home, kind):
    sqswarm_home.chmod(0o755)
    port = free_port()
    first = up(emulator=kind, port=port)
    record = run_dir(port) / "emulator.json"
    assert stat.S_IMODE(home().stat().st_mode) == 0o700
    for file in (record, current_path()):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert first.secret not in repr(first)
    down(port=port)
    assert not record.exists()
    assert first.access_key_id not in current_path().read_text()
    second = up(emulator=kind, port=port)
    down(port=port)
    assert second.access_key_id != first.access_key_id


@pytest.mark.parametrize("exported", [None, "test", "AKIAIOSFODNN7EXAMPLE"])
def test_sqswarm_itself_finds_the_key_of_an_emulator_of_this_home(emulator, monkeypatch, exported):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    if exported:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", exported)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", exported)
    for endpoint in (emulator.endpoint_url, f"http://localhost:{emulator.port}"):
        sts = client(Settings(endpoint_url=endpoint), "sts")
        assert sts.get_caller_identity()["Account"] == "000000000000"


def test_another_account_that_was_chosen_stays_chosen(emulator, monkeypatch):
    for name, value in environment_variables(emulator, account="222222222222").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it read the environment before
    sts = client(Settings(endpoint_url=emulator.endpoint_url), "sts")
    assert sts.get_caller_identity()["Account"] == "222222222222"


@pytest.mark.usefixtures("localstack_only")  # ministack's functions are asked through pipes
def test_strangers_get_nothing_from_a_runtime_api_and_disturb_nothing(cloud):
    function = cloud.function(
        "import os\ndef handler(e, c): return [os.environ['AWS_LAMBDA_RUNTIME_API'], e]"
    )
    address = cloud.invoke(function).payload[0]
    host, _, secret = address.partition("/")
    name, _, port = host.partition(":")
    assert len(secret) >= 32

    next_path = "/2018-06-01/runtime/invocation/next"
    foreign = "Host: evil.example"
    junk = [
        f"GET {next_path} HTTP/1.1\r\nHost: {host}\r\n\r\n",
        f"GET /wrong{next_path} HTTP/1.1\r\nHost: {host}\r\n\r\n",
        f"GET /{secret}{next_path} HTTP/1.1\r\n{foreign}\r\n\r\n",
        f"GET /{secret}{next_path} HTTP/1.1\r\nHost: {host}\r\nSec-Fetch-Site: cross-site\r\n\r\n",
        "\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "x" * 100_000,
    ]
    for n, raw in enumerate(junk):
        # A process that waits reads what arrived meanwhile with its next invocation.
        waiting = socket.create_connection((name, int(port)), timeout=20)
        waiting.sendall(raw.encode())
        reply = cloud.invoke(function, {"n": n})
        assert reply.error is None
        assert reply.payload[1] == {"n": n}
        cloud.invoke(function)
        try:
            said = waiting.recv(65536)
        except ConnectionResetError:
            said = b""
        waiting.close()
        assert b"200" not in said.split(b"\r\n")[0]
        assert str(n).encode() not in said.partition(b"\r\n\r\n")[2]
