"""Settings: who may call, from the environment (docs/access.md). Read once, when a server opens."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from sqswarm.backends.aws.connect import client, settings_from_environment
from sqswarm.backends.log import Log, configure_logging
from sqswarm.dispatcher.server.auth.authenticators import (
    ApiKeyAuthenticator,
    IamAuthenticator,
    LoopbackAuthenticator,
    parse_keys,
)
from sqswarm.dispatcher.server.auth.checks import hostname_of
from sqswarm.dispatcher.server.auth.identity import Authenticator
from sqswarm.dispatcher.server.auth.middleware import BODY_LIMIT_BYTES, Access
from sqswarm.dispatcher.server.auth.tokens import (
    ALGORITHMS,
    TYPES,
    JwtAuthenticator,
    KeySet,
    TokenRules,
    fetch_from,
)
from sqswarm.dispatcher.server.limits import Limits
from sqswarm.schemas.errors import InvalidSettings
from sqswarm.schemas.settings import LOOPBACK_HOSTS, Settings

AUTH = "SQSWARM_AUTH"
URL_AUTH = "SQSWARM_URL_AUTH"
"""The AuthType of the function's own URL, as it was deployed (sqswarm.infra.topology)."""

MODES = ("none", "key", "jwt", "iam")
KEY_SOURCES = ("SQSWARM_API_KEYS", "SQSWARM_API_KEYS_FILE", "SQSWARM_API_KEYS_SSM")
_JWT = "SQSWARM_JWT_"


def access_from_environment(env: Mapping[str, str], *, log: Log | None = None) -> Access:
    """Return the access that `env` describes.

    Without SQSWARM_AUTH it is `iam` inside Lambda (which lets nobody in that AWS does not vouch
    for) and `none` elsewhere (which lets in this machine only). An emulator serves this machine
    only and signs nothing: behind its open URL it is `none` too. Raises InvalidSettings for what
    is missing, contradicts itself or would leave the server open.
    """
    on_lambda = bool(env.get("AWS_LAMBDA_FUNCTION_NAME"))
    emulated = Settings.from_env(env).local
    mode = env.get(AUTH) or _default_mode(env, on_lambda=on_lambda, emulated=emulated)
    if mode not in MODES:
        message = f"{AUTH} is {mode!r}"
        raise InvalidSettings(message, hint=f"Possible are {', '.join(MODES)}.")
    _check_nothing_left_over(env, mode)
    public_url = _public_url(env)
    hosts = _list(env, "SQSWARM_HOSTS") or tuple(LOOPBACK_HOSTS)
    if public_url is not None:
        hosts = (*hosts, urlsplit(public_url).netloc)
    if mode == "none":
        _check_local(hosts, exposed=on_lambda and not emulated)
    if mode == "iam" and not on_lambda:
        message = f"{AUTH}=iam, but this is no Lambda function: nobody checks the signatures"
        raise InvalidSettings(message, hint=f"Elsewhere use {AUTH}=jwt or {AUTH}=key.")
    return Access(
        authenticator=_authenticator(env, mode),
        operators=frozenset(_list(env, "SQSWARM_OPERATORS")),
        hosts=hosts,
        origins=tuple(_origin(origin) for origin in _list(env, "SQSWARM_ORIGINS")),
        body_limit=_body_limit(env),
        limits=Limits.from_env(env),
        issuer=env[f"{_JWT}ISSUER"] if mode == "jwt" else None,
        public_url=public_url,
        on_lambda=on_lambda,
        log=log or configure_logging(env),
    )


def _default_mode(env: Mapping[str, str], *, on_lambda: bool, emulated: bool) -> str:
    if not on_lambda:
        return "none"
    if env.get(URL_AUTH) != "NONE":
        return "iam"
    if emulated:
        return "none"
    message = "the server's Function URL is open to everybody, and no access is configured"
    hint = f"Set {AUTH} in [tool.sqswarm.server] env, or auth = 'AWS_IAM'."
    raise InvalidSettings(message, hint=hint)


def _authenticator(env: Mapping[str, str], mode: str) -> Authenticator:
    if mode == "key":
        return _static_keys(env)
    if mode == "jwt":
        return _tokens(env)
    if mode == "iam":
        return IamAuthenticator()
    return LoopbackAuthenticator(behind_emulator=bool(env.get("AWS_LAMBDA_FUNCTION_NAME")))


def _check_nothing_left_over(env: Mapping[str, str], mode: str) -> None:
    """Refuse settings of a mode that is not on: somebody believes that they protect the server."""
    for name in sorted(env):
        of = "jwt" if name.startswith(_JWT) else "key" if name in KEY_SOURCES else mode
        if env[name] and of != mode:
            message = f"{name} is set, but {AUTH} is {mode}"
            raise InvalidSettings(message, hint=f"Set {AUTH}={of}, or unset {name}.")


def _check_local(hosts: tuple[str, ...], *, exposed: bool) -> None:
    if exposed:
        message = f"{AUTH}=none inside Lambda would let everybody in"
        raise InvalidSettings(message, hint=f"Use {AUTH}=iam or {AUTH}=jwt.")
    for host in hosts:
        if hostname_of(host.lower()) not in LOOPBACK_HOSTS:
            message = f"{AUTH}=none, but the server is to answer to {host!r}"
            raise InvalidSettings(message, hint=f"Choose {AUTH}=key or {AUTH}=jwt first.")


def _static_keys(env: Mapping[str, str]) -> ApiKeyAuthenticator:
    given = [name for name in KEY_SOURCES if env.get(name)]
    if len(given) != 1:
        message = f"{AUTH}=key needs one of {', '.join(KEY_SOURCES)}; {len(given)} are set"
        raise InvalidSettings(message, hint="SQSWARM_API_KEYS=ada:…,bo:… with long random keys.")
    source = given[0]
    return ApiKeyAuthenticator(parse_keys(_key_text(env, source), source=source))


def _key_text(env: Mapping[str, str], source: str) -> str:
    if source.endswith("_FILE"):
        try:
            return Path(env[source]).read_text()
        except OSError as error:
            message = f"{source}: {env[source]!r} cannot be read: {error.strerror}"
            raise InvalidSettings(message, hint="One name:key a line.") from error
    if source.endswith("_SSM"):
        from botocore.exceptions import ClientError

        ssm = client(settings_from_environment(env), "ssm")
        try:
            answer = ssm.get_parameter(Name=env[source], WithDecryption=True)
        except ClientError as error:
            message = f"{source}: the parameter {env[source]!r} cannot be read: {error}"
            raise InvalidSettings(message, hint="A SecureString with name:key, …") from error
        return str(answer["Parameter"]["Value"])
    return env[source]


def _tokens(env: Mapping[str, str]) -> JwtAuthenticator:
    for name in ("ISSUER", "AUDIENCE", "JWKS"):
        if not env.get(_JWT + name):
            message = f"{AUTH}=jwt, but {_JWT}{name} is not set"
            raise InvalidSettings(message, hint=f"docs/access.md says what {_JWT}{name} is.")
    algorithms = _list(env, f"{_JWT}ALGORITHMS") or ALGORITHMS
    for algorithm in algorithms:
        if algorithm not in ALGORITHMS:
            message = f"{_JWT}ALGORITHMS names {algorithm!r}"
            raise InvalidSettings(message, hint=f"Possible are {', '.join(ALGORITHMS)}.")
    types = tuple(one.lower() for one in _list(env, f"{_JWT}TYP"))
    rules = TokenRules(
        issuer=_http_url(env, f"{_JWT}ISSUER"),
        audiences=_list(env, f"{_JWT}AUDIENCE"),
        algorithms=algorithms,
        claim=env.get(f"{_JWT}PRINCIPAL") or "sub",
        types=types or TYPES,
    )
    return JwtAuthenticator(rules, KeySet(fetch_from(_jwks(env[f"{_JWT}JWKS"]))))


def _jwks(source: str) -> str:
    """Return where the keys are, if they can be trusted to be the issuer's."""
    if "://" not in source:
        if not Path(source).is_file():
            message = f"{_JWT}JWKS: there is no file {source!r}"
            raise InvalidSettings(message, hint="An https address, or the path of a JWKS file.")
        return source
    parts = urlsplit(source)
    local = parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS
    if parts.scheme != "https" and not local:
        message = f"{_JWT}JWKS={source!r}: keys that come unprotected could be anybody's"
        raise InvalidSettings(message, hint="Use https, or a file.")
    return source


def _public_url(env: Mapping[str, str]) -> str | None:
    given = env.get("SQSWARM_PUBLIC_URL")
    return _http_url(env, "SQSWARM_PUBLIC_URL").rstrip("/") if given else None


def _http_url(env: Mapping[str, str], name: str) -> str:
    parts = urlsplit(env[name])
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query:
        message = f"{name}={env[name]!r} is no address"
        raise InvalidSettings(message, hint="Something like https://swarm.example.com")
    return env[name]


def _origin(origin: str) -> str:
    parts = urlsplit(origin)
    if parts.scheme not in {"http", "https"} or origin != f"{parts.scheme}://{parts.netloc}":
        message = f"SQSWARM_ORIGINS names {origin!r}, which is no origin"
        raise InvalidSettings(message, hint="Scheme and host alone: https://app.example.com")
    return origin


def _body_limit(env: Mapping[str, str]) -> int:
    text = env.get("SQSWARM_BODY_LIMIT") or str(BODY_LIMIT_BYTES)
    if not text.isdecimal() or not int(text):
        message = f"SQSWARM_BODY_LIMIT={text!r} is no number of bytes"
        raise InvalidSettings(message, hint=f"The default is {BODY_LIMIT_BYTES}.")
    return int(text)


def _list(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in env.get(name, "").split(",") if part.strip())
