"""An OTLP receiver: an HTTP server that keeps the spans it is sent, and looks at their trees."""

import gzip
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class OtlpReceiver:
    """Takes `POST /v1/traces` at `url`; `spans` are what came, in order."""

    def __init__(self):
        self.spans = []
        self.headers = []
        self.stall = threading.Event()
        self.stall.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                receiver.stall.wait(30)
                receiver.take(ExportTraceServiceRequest.FromString(body))
                receiver.headers.append(dict(self.headers))
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stall.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, request):
        for resource in request.resource_spans:
            service = _attributes(resource.resource.attributes).get("service.name")
            for scope in resource.scope_spans:
                self.spans.extend(_span(one, scope.scope.name, service) for one in scope.spans)

    def named(self, prefix):
        return [span for span in self.spans if span.name.startswith(prefix)]

    def traces(self):
        found = defaultdict(list)
        for span in self.spans:
            found[span.trace_id].append(span)
        return dict(found)

    def orphans(self):
        """The spans whose parent never came."""
        known = {(span.trace_id, span.span_id) for span in self.spans}
        return [s for s in self.spans if s.parent and (s.trace_id, s.parent) not in known]

    def twice(self):
        ids = [(span.trace_id, span.span_id) for span in self.spans]
        return sorted({one for one in ids if ids.count(one) > 1})

    def tree(self, trace_id):
        """The trace as lines, indented by depth: what a test compares, and a person reads."""
        spans = {span.span_id: span for span in self.traces()[trace_id]}
        below = defaultdict(list)
        for span in spans.values():
            below[span.parent].append(span)
        lines = []

        def show(span, depth):
            lines.append("  " * depth + span.name)
            for one in sorted(below[span.span_id], key=lambda s: (s.start, s.end, s.name)):
                show(one, depth + 1)

        for root in below[""]:
            show(root, 0)
        return lines


def _span(span, scope, service):
    return SimpleNamespace(
        name=span.name,
        kind=span.kind,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        attributes=_attributes(span.attributes),
        events=[(event.name, _attributes(event.attributes)) for event in span.events],
        links=[(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        failed=span.status.code == 2,
        message=span.status.message,
        scope=scope,
        service=service,
    )


def _attributes(pairs):
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value):
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind) if kind else None
