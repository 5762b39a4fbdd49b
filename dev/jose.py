"""What an identity provider and those who trust it do with the keys, for the demo: by a library that
is not Keyreeve's. Everything comes on standard input, so that no key is ever an argument.

    jose.py sign       reads a keystore's Secret as JSON, prints a token
    jose.py verify     reads a JWKS and, after it, a token; says whether it verifies
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


def verify(text):
    jwks, token = text.rstrip().rsplit("\n", 1)
    kid = JWS.from_jose_token(token).jose_header["kid"]
    key = JWKSet.from_json(jwks).get_key(kid)
    if key is None:
        sys.exit("does not verify: the JWKS has no key of its kid")
    try:
        token = JWT(jwt=token, key=key, algs=[key["alg"]])
    except InvalidJWSSignature:
        sys.exit("does not verify: it was not signed with the key of its kid")
    return f"verifies: it is {json.loads(token.claims)['sub']}, as the key {kid} says"


print({"sign": sign, "verify": verify}[sys.argv[1]](sys.stdin.read()))
