"""Settings: who may call, from the environment (docs/access.md). Read once, when a server opens."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from sqswarm.backends.aws.connect import client, settings_from_environment
from sqswarm.backends.log import Log, configure_logging
from sqswarm.dispatcher.server.auth.api_keys import StaticKeys, parse_keys
from sqswarm.dispatcher.server.auth.authenticator import Authenticator
from sqswarm.dispatcher.server.auth.hosts import LOOPBACK, is_loopback_host
from sqswarm.dispatcher.server.auth.iam import SignedByAws
from sqswarm.dispatcher.server.auth.jwks import KeySet, fetch_from
from sqswarm.dispatcher.server.auth.loopback import Loopback
from sqswarm.dispatcher.server.auth.middleware import BODY_LIMIT_BYTES, Access
from sqswarm.dispatcher.server.auth.tokens import ALGORITHMS, TokenRules, Tokens
from sqswarm.schemas.errors import InvalidSettings

AUTH = "SQSWARM_AUTH"
MODES = ("none", "key", "jwt", "iam")
KEY_SOURCES = ("SQSWARM_API_KEYS", "SQSWARM_API_KEYS_FILE", "SQSWARM_API_KEYS_SSM")
_JWT = "SQSWARM_JWT_"


def access_from_environment(env: Mapping[str, str], *, log: Log | None = None) -> Access:
    """Return the access that `env` describes.

    Without SQSWARM_AUTH it is `iam` inside Lambda (which lets nobody in that AWS does not vouch
    for) and `none` elsewhere (which lets in this machine only). Raises InvalidSettings for what
    is missing, contradicts itself or would leave the server open.
    """
    on_lambda = bool(env.get("AWS_LAMBDA_FUNCTION_NAME"))
    mode = env.get(AUTH) or ("iam" if on_lambda else "none")
    if mode not in MODES:
        message = f"{AUTH} is {mode!r}"
        raise InvalidSettings(message, hint=f"Possible are {', '.join(MODES)}.")
    _check_nothing_left_over(env, mode)
    public_url = _public_url(env)
    hosts = _list(env, "SQSWARM_HOSTS") or LOOPBACK
    if public_url is not None:
        hosts = (*hosts, urlsplit(public_url).netloc)
    if mode == "none":
        _check_local(hosts, on_lambda=on_lambda)
    if mode == "iam" and not on_lambda:
        message = f"{AUTH}=iam, but this is no Lambda function: nobody checks the signatures"
        raise InvalidSettings(message, hint=f"Elsewhere use {AUTH}=jwt or {AUTH}=key.")
    return Access(
        authenticator=_authenticator(env, mode),
        operators=frozenset(_list(env, "SQSWARM_OPERATORS")),
        hosts=hosts,
        origins=tuple(_origin(origin) for origin in _list(env, "SQSWARM_ORIGINS")),
        body_limit=_body_limit(env),
        issuer=env[f"{_JWT}ISSUER"] if mode == "jwt" else None,
        public_url=public_url,
        on_lambda=on_lambda,
        log=log or configure_logging(env),
    )


def _authenticator(env: Mapping[str, str], mode: str) -> Authenticator:
    if mode == "key":
        return _static_keys(env)
    if mode == "jwt":
        return _tokens(env)
    return SignedByAws() if mode == "iam" else Loopback()


def _check_nothing_left_over(env: Mapping[str, str], mode: str) -> None:
    """Refuse settings of a mode that is not on: somebody believes that they guard the server."""
    for name in sorted(env):
        of = "jwt" if name.startswith(_JWT) else "key" if name in KEY_SOURCES else mode
        if env[name] and of != mode:
            message = f"{name} is set, but {AUTH} is {mode}"
            raise InvalidSettings(message, hint=f"Set {AUTH}={of}, or unset {name}.")


def _check_local(hosts: tuple[str, ...], *, on_lambda: bool) -> None:
    if on_lambda:
        message = f"{AUTH}=none inside Lambda would let everybody in"
        raise InvalidSettings(message, hint=f"Use {AUTH}=iam or {AUTH}=jwt.")
    for host in hosts:
        if not is_loopback_host(host):
            message = f"{AUTH}=none, but the server is to answer to {host!r}"
            raise InvalidSettings(message, hint=f"Choose {AUTH}=key or {AUTH}=jwt first.")


def _static_keys(env: Mapping[str, str]) -> StaticKeys:
    given = [name for name in KEY_SOURCES if env.get(name)]
    if len(given) != 1:
        message = f"{AUTH}=key needs one of {', '.join(KEY_SOURCES)}; {len(given)} are set"
        raise InvalidSettings(message, hint="SQSWARM_API_KEYS=ada:…,bo:… with long random keys.")
    source = given[0]
    return StaticKeys(parse_keys(_key_text(env, source), source=source))


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


def _tokens(env: Mapping[str, str]) -> Tokens:
    for name in ("ISSUER", "AUDIENCE", "JWKS"):
        if not env.get(_JWT + name):
            message = f"{AUTH}=jwt, but {_JWT}{name} is not set"
            raise InvalidSettings(message, hint=f"docs/access.md says what {_JWT}{name} is.")
    algorithms = _list(env, f"{_JWT}ALGORITHMS") or ALGORITHMS
    for algorithm in algorithms:
        if algorithm not in ALGORITHMS:
            message = f"{_JWT}ALGORITHMS names {algorithm!r}"
            raise InvalidSettings(message, hint=f"Possible are {', '.join(ALGORITHMS)}.")
    rules = TokenRules(
        issuer=env[f"{_JWT}ISSUER"],
        audiences=_list(env, f"{_JWT}AUDIENCE"),
        algorithms=algorithms,
        claim=env.get(f"{_JWT}PRINCIPAL") or "sub",
    )
    return Tokens(rules, KeySet(fetch_from(_jwks(env[f"{_JWT}JWKS"]))))


def _jwks(source: str) -> str:
    """Return where the keys are, if they can be trusted to be the issuer's."""
    if "://" not in source:
        if not Path(source).is_file():
            message = f"{_JWT}JWKS: there is no file {source!r}"
            raise InvalidSettings(message, hint="An https address, or the path of a JWKS file.")
        return source
    parts = urlsplit(source)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback_host(parts.netloc)):
        message = f"{_JWT}JWKS={source!r}: keys that come unprotected could be anybody's"
        raise InvalidSettings(message, hint="Use https, or a file.")
    return source


def _public_url(env: Mapping[str, str]) -> str | None:
    url = (env.get("SQSWARM_PUBLIC_URL") or "").rstrip("/")
    parts = urlsplit(url)
    if url and (parts.scheme not in {"http", "https"} or not parts.netloc or parts.query):
        message = f"SQSWARM_PUBLIC_URL={url!r} is no address"
        raise InvalidSettings(message, hint="Something like https://swarm.example.com")
    return url or None


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
