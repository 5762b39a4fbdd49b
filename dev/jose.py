"""What an identity provider and those who trust it do with the keys, for the demo: by a library that
is not Keyreeve's. Everything comes on standard input, so that no key is ever an argument.

    jose.py sign       reads a keystore's Secret as JSON, prints a token
    jose.py kid        reads a token, prints the kid of its key
    jose.py verify     reads a JWKS and, after it, a token; says whether it verifies
    jose.py show       reads the same, and prints what a token that verifies says, one value a line
"""

import base64
import json
import sys
import time

from jwcrypto.jwk import JWK, JWKSet
from jwcrypto.jws import InvalidJWSSignature, JWS
from jwcrypto.jwt import JWT


def sign(text):
    secret = json.loads(text)
    data = {name: base64.b64decode(value) for name, value in secret["data"].items()}
    kid = data["active"].decode()
    keys = [entry["key"] for entry in json.loads(data["keys.json"])["keys"]]
    alg = next(key["alg"] for key in keys if key["kid"] == kid)
    now = int(time.time())
    token = JWT(
        header={"alg": alg, "kid": kid, "typ": "JWT"},
        claims={"iss": secret["metadata"]["name"], "sub": "ada", "iat": now, "exp": now + 300},
    )
    token.make_signed_token(JWK.from_pem(data[f"{kid}.pem"]))
    return token.serialize()


def kid(text):
    return JWS.from_jose_token(text.strip()).jose_header["kid"]


def verified(text):
    """The header and the claims of a token that verifies; ends the script for another one."""
    jwks, token = text.rstrip().rsplit("\n", 1)
    key = JWKSet.from_json(jwks).get_key(kid(token))
    if key is None:
        sys.exit("does not verify: the JWKS has no key of its kid")
    try:
        token = JWT(jwt=token, key=key, algs=[key["alg"]])
    except InvalidJWSSignature:
        sys.exit("does not verify: it was not signed with the key of its kid")
    return json.loads(token.header), json.loads(token.claims)


def verify(text):
    header, claims = verified(text)
    name = claims.get("preferred_username", claims["sub"])
    return f"verifies: it is {name}, as the key {header['kid']} says"


def show(text):
    header, claims = verified(text)
    return "\n".join(f"{path} {value}" for path, value in values({"header": header, **claims}))


def values(members, path=""):
    """The values of nested objects with their paths; a list is one value."""
    for name, value in members.items():
        if isinstance(value, dict):
            yield from values(value, f"{path}{name}.")
        elif isinstance(value, list):
            yield path + name, " ".join(sorted(map(str, value)))
        else:
            yield path + name, value


print({"sign": sign, "kid": kid, "verify": verify, "show": show}[sys.argv[1]](sys.stdin.read()))
