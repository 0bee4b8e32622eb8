"""Tokens that must be refused, each with its reason."""

import base64
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unsigned(issuer, alg):
    return f"{part({'alg': alg, 'kid': issuer.kid, 'typ': 'JWT'})}.{part(issuer.claims())}."


def hmac_with_the_public_key(issuer):
    import hashlib
    import hmac

    signed = f"{part({'alg': 'HS256', 'kid': issuer.kid})}.{part(issuer.claims())}"
    mac = hmac.new(issuer.public_pem, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def tampered(issuer):
    head, _, signature = issuer.token().split(".")
    return f"{head}.{part(issuer.claims('mallory'))}.{signature}"


def embedded_key(issuer):
    own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(own.public_key()))
    headers = {"kid": issuer.kid, "jwk": public, "jku": "http://127.0.0.1:1/jwks"}
    return jwt.encode(issuer.claims(), own, "RS256", headers=headers)


def critical(issuer):
    headers = {"kid": issuer.kid, "crit": ["exp-or-else"], "exp-or-else": True}
    return jwt.encode(issuer.claims(), issuer.key, "RS256", headers=headers)


def typed(typ):
    return lambda i: jwt.encode(i.claims(), i.key, "RS256", headers={"kid": i.kid, "typ": typ})


def foreign(kid):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return lambda i: i.token(key=key, kid=kid or i.kid)


def in_s(seconds):
    return int(time.time()) + seconds


FORGED = [
    pytest.param(lambda i: i.token(aud="https://other.example.com"), "wrong-audience", id="aud"),
    pytest.param(lambda i: i.token(aud=None), "missing-claim", id="no-aud"),
    pytest.param(lambda i: i.token(iss="https://evil.example.com"), "wrong-issuer", id="iss"),
    pytest.param(lambda i: i.token(iss=None), "missing-claim", id="no-iss"),
    pytest.param(lambda i: i.token(exp=in_s(-60)), "expired", id="expired"),
    pytest.param(lambda i: i.token(exp=None), "missing-claim", id="no-exp"),
    pytest.param(lambda i: i.token(exp="soon"), "malformed", id="exp-is-no-number"),
    pytest.param(lambda i: i.token(nbf=in_s(600)), "not-yet-valid", id="nbf"),
    pytest.param(lambda i: i.token(iat=in_s(600)), "not-yet-valid", id="issued-tomorrow"),
    pytest.param(lambda i: unsigned(i, "none"), "wrong-algorithm", id="alg-none"),
    pytest.param(lambda i: unsigned(i, "NONE"), "wrong-algorithm", id="alg-NONE"),
    pytest.param(lambda i: unsigned(i, "RS256"), "wrong-signature", id="no-signature"),
    pytest.param(hmac_with_the_public_key, "wrong-algorithm", id="hs256-with-the-public-key"),
    pytest.param(
        lambda i: i.token(key=ec.generate_private_key(ec.SECP256R1()), alg="ES256"),
        "wrong-algorithm",
        id="another-kind-of-key",
    ),
    pytest.param(foreign("nobody's"), "unknown-key", id="unknown-kid"),
    pytest.param(foreign(None), "wrong-signature", id="foreign-key-under-a-known-kid"),
    pytest.param(embedded_key, "wrong-signature", id="key-in-the-header"),
    pytest.param(tampered, "wrong-signature", id="tampered"),
    pytest.param(critical, "malformed", id="critical-extension"),
    pytest.param(lambda i: i.token(""), "no-principal", id="empty-sub"),
    pytest.param(lambda i: i.token("a\nb"), "no-principal", id="line-break-in-sub"),
    pytest.param(lambda i: i.token("x" * 300), "no-principal", id="endless-sub"),
    pytest.param(lambda i: i.token(None), "missing-claim", id="no-sub"),
    pytest.param(lambda i: i.token("arn:aws:iam::1:root"), "no-principal", id="sub-like-an-arn"),
    pytest.param(lambda i: i.token("ARN:aws:iam::1:root"), "no-principal", id="sub-like-an-ARN"),
    pytest.param(lambda i: i.token(" arn:aws:iam::1:root"), "no-principal", id="space-before-arn"),
    pytest.param(lambda i: i.token("Local"), "no-principal", id="sub-of-this-machine"),
    pytest.param(lambda i: i.token("ada "), "no-principal", id="space-behind-sub"),
    pytest.param(typed("logout+jwt"), "wrong-type", id="logout-token"),
    pytest.param(typed("dpop+jwt"), "wrong-type", id="proof-of-possession"),
    pytest.param(lambda i: i.token(token_use="id"), "wrong-type", id="cognitos-id-token"),
    pytest.param(lambda i: i.token(nonce="n"), "wrong-type", id="id-token"),
    pytest.param(lambda i: "garbage", "malformed", id="garbage"),
    pytest.param(lambda i: "a.b.c", "malformed", id="dotted-garbage"),
    pytest.param(lambda i: "x" * 20_000, "malformed", id="endless"),
    pytest.param(lambda i: f"{part([])}.{part({})}.", "malformed", id="header-is-a-list"),
    pytest.param(
        lambda i: f"{part({'alg': ['RS256']})}.{part({})}.", "wrong-algorithm", id="alg-is-a-list"
    ),
    pytest.param(
        lambda i: f"{part({'alg': 'RS256', 'kid': 7})}.{part({})}.", "malformed", id="kid-is-7"
    ),
]
