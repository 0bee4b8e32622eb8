"""AWS's part of a Function URL with AWS_IAM: it checks the signature, and says who signed."""

from sigv4 import signer_of

from sqswarm.dispatcher.server.auth.checks import read_body, replayed
from sqswarm.dispatcher.server.auth.middleware import BODY_LIMIT_BYTES


class FunctionUrl:
    """ASGI: what Lambda hands over of a request, the signer where there is one."""

    def __init__(self, app):
        self._app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await read_body(receive, BODY_LIMIT_BYTES, within_s=30)
        if body is None:
            return
        headers = [(name.decode("latin-1"), v.decode("latin-1")) for name, v in scope["headers"]]
        host = dict(headers).get("host", "")
        path, query = scope["raw_path"].decode(), scope["query_string"].decode()
        url = f"http://{host}{path}?{query}".rstrip("?")
        arn = signer_of(scope["method"], url, headers, body)
        context = {"domainName": host, **({"authorizer": {"iam": {"userArn": arn}}} if arn else {})}
        scope = {**scope, "aws.event": {"requestContext": context}}
        await self._app(scope, replayed(body, receive), send)
