"""What arroba.permissions makes of scope strings, as JSON."""

import json
import logging
import os
import pathlib
import re
import sys

from arroba import permissions
from arroba.util import Action

logging.disable(logging.CRITICAL)

VECTORS = pathlib.Path(os.environ["ARROBA_FIXTURES"]) / "indigo/scopes"
POST, LIKE = "app.bsky.feed.post", "app.bsky.feed.like"
APPVIEW, CHAT = "did:web:api.bsky.app#bsky_appview", "did:web:api.bsky.chat#bsky_chat"
QUOTED = APPVIEW.replace("#", "%23")

SCOPES = [
    "atproto", "ATPROTO", "atproto:", "atproto?x=y", "transition:generic", "transition:email",
    "transition:chat.bsky", "transition:", "transition:other", "transition:generic?", "", "repo", "repo:",
    "repo?", "repo:?", "repo:*", "repo:*?", "repo:%2A", "repo:**", "repo:app.bsky.*", f"repo:{POST}",
    "repo:app%2Ebsky.feed.post", "repo:app.bsky", "repo:app.bsky.feed.post/self", f"repo:{POST}?action=create",
    f"repo:{POST}?action=create&action=update", f"repo:{POST}?action=delete&action=update",
    f"repo:{POST}?action=create&action=create", f"repo:{POST}?action=", f"repo:{POST}?action",
    f"repo:{POST}?action=*", f"repo:{POST}?action=read", f"repo:{POST}?ACTION=create", f"repo:{POST}?&",
    f"repo:{POST}?action=create&", f"repo:{POST}?collection={LIKE}", f"repo:?collection={POST}",
    f"repo?collection={POST}", f"repo?collection={POST}&collection={LIKE}", f"repo?collection={LIKE}&collection={POST}",
    f"repo?collection={POST}&collection=*", f"repo?collection={POST}&collection={POST}",
    f"repo?collection={POST}&collection={LIKE}&collection=app.bsky.graph.follow&action=update&action=create",
    f"repo?action=delete&collection={POST}", "repo?action=delete", f"repo?x=y&collection={POST}",
    f"repo:{POST}?action=cre%61te", f"repo:{POST}%20", f"repo:{POST} ", f" repo:{POST}", f"%72epo:{POST}",
    f"repo:{POST}?action=create?x", "rpc", "rpc:*", "rpc:*?aud=*", "rpc?lxm=*&aud=*", f"rpc:{POST}", f"rpc:{POST}?aud=",
    f"rpc:{POST}?aud=*", f"rpc:{POST}?aud={APPVIEW}", f"rpc:{POST}?aud={QUOTED}", f"rpc:*?aud={QUOTED}",
    f"rpc?lxm={POST}&aud=*", f"rpc?lxm={POST}&lxm={LIKE}&aud={QUOTED}", f"rpc?lxm={LIKE}&lxm={POST}&aud=*",
    f"rpc?lxm=*&lxm={POST}&aud=*", f"rpc?lxm=*&lxm={POST}&aud={QUOTED}", f"rpc:{POST}?aud=*&aud={QUOTED}",
    f"rpc:{POST}?aud={QUOTED}&lxm={LIKE}", f"rpc:{POST}?aud=did:web:api.bsky.app",
    f"rpc:{POST}?aud=did:plc:ewvi7nxzyoun6zhxrhs64oiz%23chat", f"rpc:{POST}?aud=did:web:a.test%2523x%23y",
    f"rpc:{POST}?aud=did:web:a.test%23", f"rpc:{POST}?aud=did:WEB:a.test%23x", f"rpc:{POST}?aud=did:web:a/b%23x",
    f"rpc:{POST}?aud=did:web:a.test%23x%23y", f"rpc:{POST}?aud=did:web:a.test%23x+y", f"rpc:{POST}?aud=did:web:a+b%23x",
    f"rpc:{POST}?aud=did:web:a.test%23%C3%A9", f"rpc:{POST}?aud=did%3Aweb%3Aa.test%23x", f"rpc:{POST}?aud=%zz",
    f"rpc:{POST}?aud=did:web:a.test%23x%", f"rpc:{POST}?lang=en&aud=*", "blob:*/*", "blob:image/*", "account:email",
    "identity:*", "identity:handle", "include:app.bsky.authFull", "space:x", "Repo:*", "\u00e9", "repo:\u00e9.b.c",
    'repo:"', "repo:\\", "?", ":", "&", "repo&collection=*",
]

SETS = [
    [], ["atproto"], ["transition:generic"], ["atproto", "transition:generic", "unknown:thing"],
    ["transition:generic", "transition:chat.bsky"], ["repo:*"], ["repo:*?action=delete"],
    [f"repo:{POST}"], [f"repo:{POST}?action=create"], [f"repo:{POST}?action=create", f"repo:{POST}?action=update"],
    [f"repo?collection={POST}&collection={LIKE}&action=update"], [f"rpc:{POST}?aud=*"], [f"rpc:{POST}?aud={QUOTED}"],
    [f"rpc:*?aud={QUOTED}"], [f"rpc?lxm={POST}&lxm={LIKE}&aud={QUOTED}"], ["rpc:chat.bsky.convo.getLog?aud=*"],
    ["repo:malformed", f"repo:{LIKE}"], ["blob:*/*", "account:email"],
]

REQUESTS = [
    *(permissions.Repo((collection,), (action,)) for collection in (POST, LIKE) for action in Action),
    *(permissions.Rpc((method,), (service,))
      for method in (POST, "app.bsky.feed.getTimeline", "chat.bsky.convo.getLog", "*")
      for service in (APPVIEW, CHAT)),
]


def lines(name):
    return [line.rstrip("\n") for line in (VECTORS / name).open()
            if line.strip() and not line.startswith("#")]


def plain(permission):
    if isinstance(permission, permissions.Repo):
        return {"collections": list(permission.collection), "actions": [a.name.lower() for a in permission.action]}
    return {"methods": list(permission.method), "audience": permission.service[0]}


def words(line):
    """The words of a description that are facts: names, hosts, actions, and whether it is everything."""
    found = [word.strip(",").lower() for word in re.split(r"\s+", line)]
    return [word for word in found if "." in word or ":" in word or word in ("create", "update", "delete", "all", "any")]


def parsed(scope):
    try:
        granted = [plain(permission) for permission in permissions.parse(scope)]
    except ValueError:
        return {"scope": scope, "parses": False}
    return {"scope": scope, "parses": True, "grants": granted,
            "describes": [words(line) for line in permissions.describe(scope)]}


def refused(request):
    error = permissions.insufficient_scope(request)
    return {**plain(request), "name": error.name, "status": error.status, "headers": error.headers}


every = list(dict.fromkeys(SCOPES + lines("permission_scopes_valid.txt") + lines("permission_scopes_invalid.txt")))
requests = [plain(request) for request in REQUESTS]
json.dump({
    "parse": [parsed(scope) for scope in every],
    "supported": permissions.supported(every),
    "requests": requests,
    "allows": [{"scopes": scopes, "allowed": [permissions.allows(scopes, request) for request in REQUESTS]}
               for scopes in SETS],
    "insufficient_scope": [refused(request) for request in REQUESTS if "*" not in request[0]],
}, sys.stdout, indent=1)
print()
