"""What arroba.did does, as JSON: the operations it would submit, the URLs it would ask, what it reads in documents.

Nothing is asked: every request goes to a function here. Keys come from seeds; signatures are random there, so
they are compared by verifying.
"""

import copy
import json
import logging
import os
import sys

os.environ["PLC_HOST"] = "plc.test"
os.environ["PDS_HOST"] = "pds.test"

from cryptography.hazmat.primitives.asymmetric import ec
import dns.resolver
from arroba import did, util

logging.disable(logging.CRITICAL)


def no_dns(*args, **kwargs):
    raise dns.resolver.NXDOMAIN()


dns.resolver.resolve = no_dns

ROTATION, OTHER, SIGNING, NEW = (util.new_key(seed) for seed in (11, 12, 13, 14))
P256 = ec.derive_private_key(15, ec.SECP256R1())


def base32(value):
    return util.dag_cbor_cid(value).encode("base32")


class Response:
    ok, status_code = True, 200

    def __init__(self, body):
        self.body = body
        self.content = self.text = body if isinstance(body, str) else json.dumps(body)

    def json(self):
        return copy.deepcopy(self.body)

    def raise_for_status(self):
        pass


class Network:
    """A directory that holds one log and believes everything."""

    def __init__(self, answers=None):
        self.asked, self.posted, self.log, self.answers = [], [], [], answers or {}

    def get(self, url, **kwargs):
        self.asked.append(url)
        if url.endswith("/log/audit"):
            return Response(self.log)
        return Response(self.answers.get(url, {}))

    def post(self, url, json=None, **kwargs):
        op = copy.deepcopy(json)
        self.asked.append(url)
        self.posted.append(op)
        self.log.append({"did": url.rsplit("/", 1)[1], "operation": op, "cid": base32(op),
                         "nullified": False, "createdAt": f"2026-01-0{len(self.log) + 1}T00:00:00.000Z"})
        return Response({})


def outcome(fn, *args, **kwargs):
    try:
        return fn(*args, **kwargs)
    except (AssertionError, ValueError, KeyError) as error:
        return {"error": type(error).__name__}


network = Network()
steps = []


def step(name, result):
    steps.append({"name": name, "operation": network.posted[-1], "cid": network.log[-1]["cid"],
                  "url": network.asked[-1], "document": result.doc if result else None})
    return result


fns = {"get_fn": network.get, "post_fn": network.post}
created = step("create_plc", did.create_plc("alice.test", signing_key=SIGNING, rotation_key=ROTATION, **fns))
DID = created.did
step("update_plc, another handle", did.update_plc(
    DID, handle="bob.test", signing_key=SIGNING, rotation_key=ROTATION, **fns))
step("update_plc, another rotation key", did.update_plc(
    DID, signing_key=SIGNING, rotation_key=ROTATION, new_rotation_key=OTHER, also_known_as="https://bob.test", **fns))
step("update_plc, another signing key and server", did.update_plc(
    DID, signing_key=NEW, rotation_key=OTHER, pds_url="https://other.test", **fns))
step("rollback_plc, 1", did.rollback_plc(DID, OTHER, **fns))
step("rollback_plc, 4", did.rollback_plc(DID, OTHER, num_operations=4, **fns))
refused = {
    "key": outcome(did.rollback_plc, DID, NEW, **fns),
    "too many": outcome(did.rollback_plc, DID, ROTATION, num_operations=6, **fns),
}

fresh = Network()
written = did.write_plc(handle="carol.test", signing_key=SIGNING, rotation_key=ROTATION, also_known_as=["https://carol.test"],
                        pds_url="https://pds.example.test", get_fn=fresh.get, post_fn=fresh.post)

KEY = did.encode_did_key(SIGNING.public_key())
MULTIBASE = KEY.removeprefix("did:key:")
ME = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"


def method(id, kind="Multikey", controller=ME, key=MULTIBASE):
    return {"id": id, "type": kind, "controller": controller, "publicKeyMultibase": key}


DOCUMENTS = [
    {"id": ME, "alsoKnownAs": ["at://alice.test"], "verificationMethod": [method(f"{ME}#atproto")]},
    {"id": ME, "alsoKnownAs": ["https://alice.test", "at://bob.test", "at://carol.test"],
     "verificationMethod": [method(f"{ME}#other"), method(f"{ME}#atproto")]},
    {"id": ME, "alsoKnownAs": [], "verificationMethod": []},
    {"id": ME},
    {"id": ME, "alsoKnownAs": ["at://not_valid", "at://dave.test"], "verificationMethod": [method("#atproto")]},
    {"id": ME, "alsoKnownAs": ["at://alice.test/path"], "verificationMethod": [
        method(f"{ME}#atproto", controller="did:web:evil.test")]},
    {"id": ME, "alsoKnownAs": ["at://ALICE.test"], "verificationMethod": [
        method(f"{ME}#atproto", kind="Ed25519VerificationKey2020")]},
]


def key_of(document):
    key = did.get_signing_key(document)
    return did.encode_did_key(key) if key else None


def resolved(fn, name, answer):
    asked = []

    def get(url, **kwargs):
        asked.append(url)
        return Response(answer)

    return {"name": name, "answer": answer, "result": outcome(fn, name, get_fn=get), "asked": asked}


HANDLES = ["alice.test", "a.b.c.example.com", "Alice.Test", "xn--ls8h.test", "a-b.test", "alice", "", ".test", "alice.",
           "-a.test", "a-.test", "a..test", "a_b.test", "alice.test\n", "alice.1test", "1.test", "a" * 63 + ".test",
           "a" * 64 + ".test", ".".join(["a" * 60] * 5) + ".test", "did:plc:abc", "alice.t", "\u00e9.test", "a b.test"]

json.dump({
    "seeds": {"rotation": 11, "other": 12, "signing": 13, "new": 14, "p256": 15},
    "did": DID,
    "steps": steps,
    "refused": refused,
    "write_plc": {"did": written.did, "operation": fresh.posted[-1], "document": written.doc},
    "encode_did_key": {"k256": KEY, "p256": did.encode_did_key(P256.public_key())},
    "decode_did_key": [{"text": text, "result": outcome(lambda t: did.encode_did_key(did.decode_did_key(t)), text)}
                       for text in (KEY, did.encode_did_key(P256.public_key()))],
    "documents": [{"document": document, "handle": did.get_handle(document), "signing_key": key_of(document)}
                  for document in DOCUMENTS],
    "handles": [{"handle": handle, "matches": bool(did.HANDLE_RE.fullmatch(handle))} for handle in HANDLES],
    "resolve": [
        resolved(did.resolve, "did:plc:ewvi7nxzyoun6zhxrhs64oiz", {"id": "did:plc:ewvi7nxzyoun6zhxrhs64oiz"}),
        resolved(did.resolve, "did:web:alice.test", {"id": "did:web:alice.test"}),
        resolved(did.resolve, "did:key:z6Mk", {}),
        resolved(did.resolve, "", {}),
    ],
    "resolve_plc": [
        resolved(did.resolve_plc, "did:plc:yk4dd2qkboz2yv6tpubpc6co", {"id": "did:plc:yk4dd2qkboz2yv6tpubpc6co"}),
        resolved(did.resolve_plc, "did:web:bob.test", {}),
    ],
    "resolve_web": [
        resolved(did.resolve_web, "did:web:bob.test", {"id": "did:web:bob.test"}),
        resolved(did.resolve_web, "did:web:localhost%3A3000", {"id": "did:web:localhost%3A3000"}),
        resolved(did.resolve_web, "did:web:bob.test:user", {"id": "did:web:bob.test:user"}),
        resolved(did.resolve_web, "did:plc:ewvi7nxzyoun6zhxrhs64oiz", {}),
    ],
    "resolve_handle": [
        resolved(did.resolve_handle, "alice.test", "did:plc:ewvi7nxzyoun6zhxrhs64oiz"),
        resolved(did.resolve_handle, "bob.test", " did:web:bob.test\n"),
        resolved(did.resolve_handle, "carol.test", "<html>"),
        resolved(did.resolve_handle, "not a handle", ""),
    ],
    "CACHE_SIZE": did.CACHE_SIZE,
    "CACHE_TTL": did.CACHE_TTL.total_seconds(),
}, sys.stdout, indent=1)
print()
