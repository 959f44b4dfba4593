"""What arroba.util does, as JSON. The clock and the runtime's clock id are set here."""

import base64
from datetime import datetime, timedelta, timezone
import json
import logging
import sys

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
import dag_cbor
from multiformats import CID
from arroba import did, util
import webutil.util

logging.disable(logging.CRITICAL)
util._clockid = 7
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
webutil.util.now = lambda *args, **kwargs: NOW


def base32(value):
    return util.dag_cbor_cid(value).encode("base32")


def outcome(fn, *args, **kwargs):
    try:
        return fn(*args, **kwargs)
    except (AssertionError, ValueError, KeyError) as error:
        return {"error": type(error).__name__}


NUMBERS = [0, 1, 31, 32, 1000, 123456789, 1_688_137_381_887_007, 2**53 - 1]
CLOCKS = [0, 1, 7, 31, 32, 1000, 1023]
DATETIMES = ["1970-01-01T00:00:00+00:00", "2023-06-30T15:03:01.887007+00:00", "2023-06-30T17:03:01.887007+02:00",
             "1999-12-31T23:59:59.999999-08:00", "2255-06-05T23:47:34.740991+00:00"]
TIDS = ["2222222222222", "3jzfcijpj2z2a", "222222222zc22", "bzzzzzzzzzzzz", "3jzf-cij-pj2z-2a", "3jzfcijpj2z2", "",
        "3jzfcijpj2z21"]
OBJECTS = [
    {"text": "hello", "n": -3, "list": [1, True, None], "bytes": b"\x00\x01", "map": {"b": 1, "aa": 2}},
    {"did": "did:web:a.test", "version": 3, "rev": "2222222222722", "prev": None,
     "data": CID.decode("bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm")},
    {},
]


def times(*nanoseconds):
    given = iter(nanoseconds)
    util.time_ns, util._tid_ts_last = lambda: next(given), 0
    return [{"time_ns": now, "tid": util.next_tid()} for now in nanoseconds]


def plain(value):
    if isinstance(value, CID):
        return {"$link": value.encode("base32")}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode().rstrip("=")}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def key(seed):
    made = util.new_key(seed)
    return {"seed": str(seed), "scalar": f"{made.private_numbers().private_value:064x}",
            "did_key": did.encode_did_key(made.public_key())}


def signed(value, seed):
    private = util.new_key(seed)
    result = util.sign(dict(value), private)
    high = raw_high(result["sig"])
    return {"seed": seed, "object": plain(value), "signed": plain(result), "cid": base32(result),
            "verifies": util.verify_sig(result, private.public_key()),
            "verifies, another key": util.verify_sig(result, util.new_key(seed + 1).public_key()),
            "verifies, changed": util.verify_sig({**result, "more": 1}, private.public_key()),
            "verifies, short": util.verify_sig({**result, "sig": result["sig"][:63]}, private.public_key()),
            "verifies, high s": util.verify_sig({**result, "sig": high}, private.public_key()),
            "verifies, unsigned": outcome(util.verify_sig, dict(value), private.public_key())}


ORDERS = {"K256": 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141,
          "P256": 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551}


def raw_high(raw):
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    return r.to_bytes(32, "big") + (ORDERS["K256"] - s).to_bytes(32, "big")


class Curve:
    def __init__(self, order):
        self.group_order = order


def low_s(name, s):
    der = util.apply_low_s_mitigation(encode_dss_signature(5, s), Curve(ORDERS[name]))
    r, low = decode_dss_signature(der)
    return {"curve": name, "raw": f"{5:064x}{s:064x}", "low": f"{r:064x}{low:064x}"}


def token(seed, *args, **kwargs):
    text = util.service_jwt(*args, privkey=util.new_key(seed), **kwargs)
    header, claims, signature = (base64.urlsafe_b64decode(part + "==") for part in text.split("."))
    return {"seed": seed, "token": text, "header": json.loads(header), "claims": json.loads(claims)}


URIS = ["at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/3jzfcijpj2z2a", "at://alice.test/app.bsky.feed.post",
        "at://did:web:a.test", "at://did:web:a.test/", "at://did:web:a.test/a.b.c/x/y", "https://a.test/x", "",
        "at://did:web:a.test/a.b.c/x?y#z"]

json.dump({
    "dag_cbor_cid": [{"value": plain(value), "bytes": dag_cbor.encode(value).hex(), "cid": base32(value)}
                     for value in OBJECTS],
    "s32": [{"number": number, "text": util.s32encode(number), "back": util.s32decode(util.s32encode(number))}
            for number in NUMBERS],
    "int_to_tid": [{"number": number, "clock_id": clock, "tid": util.int_to_tid(number, clock_id=clock)}
                   for number in NUMBERS for clock in CLOCKS] +
                  [{"number": 1000, "clock_id": 7, "tid": util.int_to_tid(1000)}],
    "datetime_to_tid": [{"datetime": text, "tid": util.datetime_to_tid(datetime.fromisoformat(text), clock_id=0)}
                        for text in DATETIMES],
    "tid_to_int": [{"tid": tid, "number": outcome(util.tid_to_int, tid)} for tid in TIDS],
    "tid_to_datetime": [{"tid": tid, "datetime": util.tid_to_datetime(tid).isoformat(timespec="microseconds")}
                        for tid in TIDS[:4]],
    "next_tid": {"clock_id": 7, "calls": times(
        1_767_225_600_000_000_000, 1_767_225_600_000_001_000, 1_767_225_600_000_001_999, 1_767_225_600_000_001_000,
        1_767_225_599_000_000_000, 0, 1_767_225_700_000_000_000)},
    "at_uri": [{"did": d, "collection": c, "rkey": r, "uri": util.at_uri(d, c, r)} for d, c, r in (
        ("did:web:a.test", "app.bsky.feed.post", "3jzfcijpj2z2a"), ("did:plc:ewvi7nxzyoun6zhxrhs64oiz", "a.b.c", "self"))],
    "parse_at_uri": [{"uri": uri, "parts": outcome(lambda u: list(util.parse_at_uri(u)), uri)} for uri in URIS],
    "new_key": [key(seed) for seed in (1, 2, 2349872879569, 2**64 + 3, 2**127 + 5)],
    "sign": [signed(value, 21) for value in OBJECTS],
    "apply_low_s_mitigation": [low_s(name, s) for name, order in ORDERS.items()
                               for s in (1, order // 2 - 1, order // 2, order // 2 + 1, order - 1)],
    "now": int(NOW.timestamp()),
    "service_jwt": [
        token(31, "relay.test", "did:web:a.test"),
        token(31, "relay.test", "did:web:a.test", expiration=timedelta(seconds=30), lxm="com.atproto.sync.requestCrawl"),
        token(31, "mod.test", "did:web:a.test", aud="did:plc:ewvi7nxzyoun6zhxrhs64oiz#labeler", jti="x", nested={"a": [1]}),
    ],
}, sys.stdout, indent=1)
print()
