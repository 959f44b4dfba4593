"""What arroba.xrpc_proxy makes of answers and newest writes, as JSON: the cases, each with the patched answer."""

import json
import logging
import os

import dag_json
import flask

os.environ["PDS_HOST"] = "pds.test"
os.environ["APPVIEW_HOST"] = "appview.test"

from arroba import xrpc_proxy  # noqa: E402  (it reads the environment)

logging.disable(logging.CRITICAL)

DID, HANDLE = "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "alice.test"
OTHER = "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.feed.post"
CID = "bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua"
BLOB = {"$type": "blob", "ref": {"$link": "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"}, "mimeType": "image/png", "size": 5}
POST, LIKE, REPOST, PROFILE = "app.bsky.feed.post", "app.bsky.feed.like", "app.bsky.feed.repost", "app.bsky.actor.profile"
NEW, OLD = "2025-06-15T15:06:00.000Z", "2025-01-01T00:00:00.000Z"


def post(text, **fields):
    return {"$type": POST, "text": text, "createdAt": NEW, **fields}


def subject(uri):
    return {"subject": {"uri": uri, "cid": CID}, "createdAt": NEW}


def view(rkey, **fields):
    return {
        "uri": rkey if rkey.startswith("at://") else f"{OTHER}/{rkey}", "cid": CID,
        "author": {"did": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", "handle": "x.test"},
        "record": {"$type": POST, "text": "x", "createdAt": OLD}, "indexedAt": OLD,
        "likeCount": 3, "repostCount": 1, **fields,
    }


def own(collection, rkey):
    return f"at://{DID}/{collection}/{rkey}"


def reply(root, parent):
    return {"root": {"uri": root, "cid": CID}, "parent": {"uri": parent, "cid": CID}}


THREAD, ITEM = "app.bsky.feed.defs#threadViewPost", "app.bsky.unspecced.defs#threadItemPost"
IMAGES = {"$type": "app.bsky.embed.images", "images": [{"image": BLOB, "alt": "a", "aspectRatio": {"width": 1, "height": 2}}, {"image": BLOB, "alt": ""}]}
EXTERNAL = {"$type": "app.bsky.embed.external", "external": {"uri": "https://a.test", "title": "t", "description": "d"}}
VIDEO = {"$type": "app.bsky.embed.video", "video": BLOB}
LIKES = {
    LIKE: {"3jzfcijpj2z2a": subject(f"{OTHER}/one"), "gone": None},
    REPOST: {"3jzfcijpj2z2b": subject(f"{OTHER}/one"), "gone": None},
}
LIKED = {"viewer": {"like": own(LIKE, "gone"), "repost": own(REPOST, "gone"), "muted": False}}
POSTS = {POST: {
    "3jzfcijpj2z2a": post("plain"),
    "3jzfcijpj2z2b": post("pictures", embed=IMAGES, createdAt="2025-06-15T15:06:01.000Z"),
    "3jzfcijpj2z2c": post("link", embed=EXTERNAL, createdAt="2025-06-15T15:06:02.000Z"),
    "3jzfcijpj2z2d": post("video", embed=VIDEO, createdAt="2025-06-15T15:06:03.000Z"),
    "3jzfcijpj2z2e": post("reply", reply=reply(f"{OTHER}/one", f"{OTHER}/one"), createdAt="2025-06-15T15:06:04.000Z"),
    "3jzfcijpj2z2f": post("own reply", reply=reply(own(POST, "x"), own(POST, "x")), createdAt="2025-06-15T15:06:05.000Z"),
    "gone": None,
}}
FEED = {"feed": [
    {"post": view("one"), "reply": {"root": {"$type": "app.bsky.feed.defs#postView", **view("two", **LIKED)}, "parent": {"$type": "app.bsky.feed.defs#notFoundPost"}}},
    {"post": view(own(POST, "gone"))},
    {"post": view("two", **LIKED)},
], "cursor": "next"}
PROFILES = {PROFILE: {"self": {"$type": PROFILE, "displayName": "New", "description": "", "avatar": BLOB}}}
SHOWN = {"did": DID, "handle": HANDLE, "displayName": "Old", "description": "old", "banner": "https://x.test", "postsCount": 1}

CASES = [
    ("app.bsky.feed.getTimeline", {}, FEED, LIKES),
    ("app.bsky.feed.getTimeline", {}, FEED, {**LIKES, **POSTS}),
    ("app.bsky.feed.getTimeline", {"cursor": "next"}, FEED, {**LIKES, **POSTS}),
    ("app.bsky.feed.getTimeline", {}, {"feed": []}, {POST: {"3jzfcijpj2z2a": post("old", createdAt="2020-01-01T00:00:00Z")}}),
    ("app.bsky.feed.getTimeline", {}, FEED, {POST: {"3jzfcijpj2z2a": post("old", createdAt="2020-01-01T00:00:00Z")}}),
    *(("app.bsky.feed.getAuthorFeed", {"actor": actor, **({"filter": filter} if filter else {})}, {"feed": []}, POSTS)
      for actor in (DID, HANDLE, "other.test")
      for filter in (None, "posts_with_replies", "posts_no_replies", "posts_with_media", "posts_with_video", "posts_and_author_threads", "other")),
    ("app.bsky.feed.getAuthorFeed", {"actor": "x.test"}, FEED, {**LIKES, **POSTS}),
    ("app.bsky.actor.getProfile", {"actor": DID}, SHOWN, PROFILES),
    ("app.bsky.actor.getProfile", {"actor": DID}, SHOWN, {PROFILE: {"self": None}}),
    ("app.bsky.actor.getProfile", {"actor": "x.test"}, {**SHOWN, "did": "did:web:x.test"}, PROFILES),
    ("app.bsky.actor.getProfiles", {}, {"profiles": [{**SHOWN, "did": "did:web:x.test"}, SHOWN]}, PROFILES),
    ("app.bsky.feed.getPosts", {}, {"posts": [view("one"), view("two", **LIKED), view("three", viewer={"like": own(LIKE, "x")})]}, LIKES),
    ("app.bsky.feed.getPosts", {}, {"posts": [view("two", likeCount=0, **LIKED)]}, LIKES),
    ("app.bsky.feed.getPostThread", {}, {"thread": {"$type": THREAD, "post": view("one"), "parent": {"$type": THREAD, "post": view("two", **LIKED)},
        "replies": [{"$type": THREAD, "post": view("two", **LIKED)}, {"$type": "app.bsky.feed.defs#blockedPost"}]}}, LIKES),
    ("app.bsky.feed.getPostThread", {}, {"thread": {"$type": "app.bsky.feed.defs#notFoundPost"}}, LIKES),
    ("app.bsky.unspecced.getPostThreadV2", {}, {"thread": [{"value": {"$type": ITEM, "post": view("one")}}, {"value": {"$type": ITEM, "post": view("two", **LIKED)}},
        {"value": {"$type": "app.bsky.unspecced.defs#threadItemBlocked"}}]}, LIKES),
]


class Repo:
    did, handle = DID, HANDLE

    def __init__(self, profile):
        self.profile = profile

    def get_record(self, collection, rkey):
        assert (collection, rkey) == (PROFILE, "self")
        return self.profile


def decode(record):
    return record and dag_json.decode(json.dumps(record).encode(), dialect="atproto")


app = flask.Flask("facts")
facts = []
# Where the pictures are is all that depends on the service.
for service, cases in ("did:web:appview.test", CASES), ("did:web:other.test", [CASES[1], ("app.bsky.actor.getProfile", {}, SHOWN, PROFILES)]):
    for method, params, answer, writes in cases:
        records = {collection: {rkey: decode(record) for rkey, record in records.items()} for collection, records in writes.items()}
        profile = PROFILES[PROFILE]["self"]
        # Not a deep copy: parts of the cases are one object, and must not stay one.
        patched = json.loads(json.dumps(answer))
        with app.test_request_context(query_string=params):
            xrpc_proxy.read_after_write_fns[method](patched, records, Repo(decode(profile)), service)
        facts.append({"method": method, "params": params, "service": service, "answer": answer, "writes": writes, "profile": profile, "patched": patched})

print("[")
print(",\n".join(json.dumps(fact) for fact in facts))
print("]")
