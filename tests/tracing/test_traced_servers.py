"""The servers continue their callers' traces, over HTTP and MCP; the client hands its own on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from otlp_receiver import OtlpReceiver
from serve_and_call import HEADER, HTTP, META

SCRIPT = Path(__file__).with_name("serve_and_call.py")


@pytest.fixture(scope="module")
def receiver():
    with OtlpReceiver() as receiver:
        environment = {
            **os.environ,
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        ran = subprocess.run(
            [sys.executable, str(SCRIPT)],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            timeout=180,
        )
        assert ran.returncode == 0, ran.stderr[-3000:]
        yield receiver


def trace_of(traceparent):
    return traceparent.split("-")[1]


def below(receiver, trace_id):
    """Names of the trace's spans in the line from its root to the task."""
    spans = {s.span_id: s for s in receiver.traces()[trace_id]}
    [one] = [s for s in spans.values() if s.name == "task say"]
    line = []
    while one:
        line.append(one.name)
        one = spans.get(one.parent)
    return line[::-1]


def test_http_continues_the_trace_in_its_headers(receiver):
    assert below(receiver, trace_of(HTTP)) == ["POST /tasks", "submit say", "task say"]
    [post] = receiver.named("POST /tasks")
    assert post.parent == HTTP.split("-")[2]
    assert post.attributes["http.response.status_code"] in {200, 201, 202}


def test_names_of_http_spans_are_few(receiver):
    [found] = receiver.named("GET ")
    assert found.name == "GET /tasks/{id}"


@pytest.mark.parametrize("traceparent", [META, HEADER], ids=["in-meta", "in-headers"])
def test_mcp_continues_its_callers_trace(receiver, traceparent):
    assert below(receiver, trace_of(traceparent)) == ["tools/call say", "submit say", "task say"]
    [call] = [s for s in receiver.named("tools/call") if s.trace_id == trace_of(traceparent)]
    assert call.parent == traceparent.split("-")[2]
    assert call.attributes["gen_ai.tool.name"] == "say"


def test_mcps_client_hands_its_trace_on(receiver):
    [client] = receiver.named("client")
    line = below(receiver, client.trace_id)
    assert line[0] == "client"
    assert line[-3:] == ["tools/call say", "submit say", "task say"]
