"""Has schemathesis sign its requests. It runs in schemathesis's environment, not in ours."""

import schemathesis
from requests.auth import AuthBase
from sigv4 import signed


class Signed(AuthBase):
    """Signature Version 4, as AWS's own SDK makes it."""

    def __call__(self, request):
        body = request.body.encode() if isinstance(request.body, str) else request.body
        request.headers.update(signed(request.method, request.url, body))
        return request


schemathesis.auth.set_from_requests(Signed())
