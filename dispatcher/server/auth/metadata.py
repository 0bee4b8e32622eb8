"""Metadata: where clients learn which issuer to go to, and what a refusal tells them.

Source: RFC 9728 (OAuth 2.0 Protected Resource Metadata), RFC 6750 §3; MCP specification
2026-07-28, "Authorization".
"""

from __future__ import annotations

from sqswarm.dispatcher.server.auth.authenticator import Scope
from sqswarm.dispatcher.server.auth.errors import AuthError
from sqswarm.dispatcher.server.auth.scopes import ALL, MCP_PATH, READ, WRITE
from sqswarm.schemas.json import JsonObject

WELL_KNOWN = "/.well-known/oauth-protected-resource"


def resource_of(path: str) -> str | None:
    """Return the path of the resource that a metadata address is about, None for other paths."""
    if path.rstrip("/") == WELL_KNOWN:
        return ""
    return MCP_PATH if path == WELL_KNOWN + MCP_PATH else None


def document(base_url: str, resource: str, issuer: str) -> JsonObject:
    """Return the metadata of the resource at `base_url` + `resource`."""
    return {
        "resource": base_url + resource,
        "authorization_servers": [issuer],
        "scopes_supported": list(ALL),
        "bearer_methods_supported": ["header"],
        "resource_name": "sqswarm",
    }


def base_url(scope: Scope, host: str) -> str:
    """Return the address under which this request came, from its checked Host."""
    return f"{scope.get('scheme', 'http')}://{host}{scope.get('root_path', '')}"


def challenge(scheme: str, refused: AuthError, metadata_url: str | None) -> str:
    """Return the value of WWW-Authenticate.

    Nothing in it comes from the request but the address, whose Host has been checked.
    """
    parts: list[str] = []
    if refused.error is not None:
        parts += [f'error="{refused.error}"', f'error_description="{_quoted(refused.detail)}"']
    if metadata_url is not None:
        parts.append(f'scope="{refused.scope or f"{READ} {WRITE}"}"')
        parts.append(f'resource_metadata="{metadata_url}"')
    return f"{scheme} {', '.join(parts)}".strip()


def _quoted(text: str) -> str:
    """Return what RFC 6750 §3 allows in a description: no quotes, no backslash, plain ASCII."""
    plain = text.replace('"', "'").replace("\\", "/").encode("ascii", "replace")
    return plain.decode()
