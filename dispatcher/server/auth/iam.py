"""IAM: AWS has checked the request's signature (SigV4) and says in the event whose it is."""

from __future__ import annotations

from sqswarm.backends.aws.connect import principal_of_arn
from sqswarm.dispatcher.server.auth.authenticator import Scope
from sqswarm.dispatcher.server.auth.errors import not_shown
from sqswarm.dispatcher.server.auth.scopes import USER
from sqswarm.dispatcher.server.identity import Identity


class SignedByAws:
    """Knows callers by the ARN that a Function URL (or a REST API) with IAM auth passes on.

    The event is what Lambda was invoked with: no part of an HTTP request gets there. Whoever may
    invoke the function directly may write any event, so nobody else should be allowed to.
    Source: Lambda developer guide, "Function URL request payload", `authorizer.iam`.
    """

    challenge = "AWS4-HMAC-SHA256"

    async def authenticate(self, scope: Scope) -> Identity:
        """Return the signer; raises AuthError where AWS has named none."""
        context = (scope.get("aws.event") or {}).get("requestContext") or {}
        url = (context.get("authorizer") or {}).get("iam") or {}
        rest = context.get("identity") or {}
        arn = url.get("userArn") or rest.get("userArn")
        if not isinstance(arn, str) or not arn.startswith("arn:"):
            raise not_shown("a request signed with SigV4")
        return Identity(principal=principal_of_arn(arn), scopes=USER)
