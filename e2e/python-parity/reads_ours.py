"""Whether arroba 3.1 (Python) reads what we make: crates/arroba-identity/tests/python/ours.json."""

import base64
import hashlib
import json
import pathlib

import dag_cbor
import jwt
from multiformats import CID
from arroba import did, util

ours = json.loads((pathlib.Path(__file__).parents[2] / "crates/arroba-identity/tests/python/ours.json").read_text())
checks = 0


def same(one, other):
    global checks
    assert one == other, (one, other)
    checks += 1


def native(value):
    if isinstance(value, dict):
        if value.keys() == {"$link"}:
            return CID.decode(value["$link"])
        if value.keys() == {"$bytes"}:
            return base64.b64decode(value["$bytes"] + "==")
        return {key: native(item) for key, item in value.items()}
    return [native(item) for item in value] if isinstance(value, list) else value


identity = ours["identity"]
rotation = util.new_key(identity["rotation_seed"]).public_key()
for step in identity["operations"]:
    op = step["operation"]
    same(util.dag_cbor_cid(op).encode("base32"), step["cid"])
    same(util.verify_sig({**op, "sig": base64.urlsafe_b64decode(op["sig"] + "==")}, rotation), True)
    same(did.plc_operation_to_did_doc({**op, "did": identity["did"]}), step["document"])
    same(did.get_handle(step["document"]), op["alsoKnownAs"][0].removeprefix("at://"))
    same(did.encode_did_key(did.get_signing_key(step["document"])), op["verificationMethods"]["atproto"])
digest = hashlib.sha256(dag_cbor.encode(identity["operations"][0]["operation"])).digest()
same("did:plc:" + base64.b32encode(digest)[:24].lower().decode(), identity["did"])

for case in ours["objects"]:
    value = native(case["signed"])
    same(util.verify_sig(value, util.new_key(case["seed"]).public_key()), True)
    same(util.dag_cbor_cid(value).encode("base32"), case["cid"])

token = ours["token"]
claims = jwt.decode(token["token"], util.new_key(token["seed"]).public_key(), algorithms=["ES256K"],
                    audience=token["audience"])
same(claims, token["claims"])

names = ours["identifiers"]
same(util.tid_to_int(names["tid"]), names["micros"])
same(util.tid_to_datetime(names["tid"]).isoformat(), names["datetime"].replace("Z", "+00:00"))
same(util.parse_at_uri(names["uri"]), ("did:web:a.test", "a.b.c", "self"))
for text in names["did_keys"].values():
    same(did.encode_did_key(did.decode_did_key(text)), text)
print(f"the Python library reads ours: {checks} checks")
