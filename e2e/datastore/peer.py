"""The Python library (arroba 3.1) as one of two programs on one Datastore: driven by JSON lines.

Each line of standard input is a command: {"id": 1, "do": "commit", ...}; each line of standard output its answer:
{"id": 1, "ok": ...} or {"id": 1, "error": "..."}. Commands run at once, so answers come in any order. Whatever is read, verified or
served goes through the library's own code. The methods of Peer are the commands.

It wants DATASTORE_EMULATOR_HOST and ENCRYPTED_PROPERTY_KEY. Its log goes to standard error (PEER_LOG=INFO for more).
"""

import calendar
import concurrent.futures
import json
import logging
import os
import sys
import threading
import time
import traceback
import urllib.request

import requests
from arroba import did as did_methods
from arroba import firehose, server, storage, util
from arroba import xrpc_repo, xrpc_server, xrpc_sync  # noqa: F401  (they register their methods)
from arroba.datastore_storage import AtpRemoteBlob, AtpRepo, DatastoreStorage, MemcacheSequences
from arroba.mst import MST
from arroba.repo import Repo
from carbox import car
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from google.auth.credentials import AnonymousCredentials
from google.cloud import ndb
from lexrpc import flask_server
from lexrpc.server import Redirect
from multiformats import CID
from werkzeug.serving import make_server

COLLECTION = "com.example.note"
# The collector sleeps until somebody in its own process tells it of an event. Events of the other program have to be told too.
TELL_SECONDS = 0.05


class Wrong(Exception):
    """What was read is not as it must be."""


def demand(condition, what):
    if not condition:
        raise Wrong(what)


def text(cid):
    return cid.encode("base32")


def wrote(data=None, lost_seq=None):
    """The callback that the library's documentation tells servers to set."""
    if data:
        firehose.send_events()
    elif lost_seq:
        firehose.mark_seq_lost(lost_seq)


def checked_entries(tree, root, read_many):
    """The records of a tree as (path, CID), after building the same tree from nothing and comparing every record with its CID."""
    entries = [(entry.key, entry.value) for entry in tree.list()]
    anew = MST.create(storage=storage.MemoryStorage())
    for path, cid in entries:
        anew = anew.add(path, cid)
    demand(anew.get_pointer() == root, f"the tree is {root}, its records make {anew.get_pointer()}")
    blocks = read_many([cid for _, cid in entries])
    for path, cid in entries:
        demand(blocks.get(cid) is not None, f"no record at {path}")
        demand(util.dag_cbor_cid(blocks[cid].decoded) == cid, f"the record at {path} is another one")
    return entries


def check_car(data, public_key):
    """Verifies a whole repo from a CAR file, and that nothing else is in it."""
    roots, blocks = car.read_car(data)
    demand(len(roots) == 1, f"{len(roots)} roots")
    memory = storage.MemoryStorage()
    memory.write_blocks([storage.Block(cid=block.cid, encoded=block.data, seq=1) for block in blocks])
    head = memory.read(roots[0])
    demand(head is not None, "the commit is not in the file")
    demand(util.verify_sig(head.decoded, public_key), "the commit's signature is wrong")
    tree = MST.load(storage=memory, cid=head.decoded["data"])
    entries = checked_entries(tree, head.decoded["data"], memory.read_many)
    named = {text(cid) for _, cid in entries} | {text(node.get_pointer()) for node in tree.all_nodes() if isinstance(node, MST)} | {text(roots[0])}
    there = {text(block.cid) for block in blocks}
    demand(named == there, f"{len(named - there)} blocks are missing, {len(there - named)} are of nobody")
    return head, entries


def described(head, entries):
    commit = head.decoded
    return {
        "did": commit["did"], "head": text(head.cid), "rev": commit["rev"], "data": text(commit["data"]),
        "records": {path: text(cid) for path, cid in entries},
    }


def described_blob(blob):
    def micros(time):
        return time and calendar.timegm(time.utctimetuple()) * 1_000_000 + time.microsecond

    return {
        "url": blob.url, "cid": blob.cid, "size": blob.size, "mime_type": blob.mime_type, "repos": [repo.id() for repo in blob.repos],
        "remote_id": blob.remote_id, "width": blob.width, "height": blob.height, "duration": blob.duration, "status": blob.status,
        "last_fetched": micros(blob.last_fetched), "created": micros(blob.created), "updated": micros(blob.updated),
    }


class Peer:
    def start(self, project, memcached=None):
        """Opens the database; numbers come from memcached if an address is given."""
        client = ndb.Client(project=project, credentials=AnonymousCredentials())
        sequences = None
        if memcached:
            from pymemcache.client.base import PooledClient

            host, port = memcached.split(":")
            cache = PooledClient((host, int(port)), max_pool_size=16, timeout=10)
            sequences = MemcacheSequences(memcache=cache, ndb_client=client)
        server.storage = DatastoreStorage(ndb_client=client, sequences=sequences)

    def serve(self):
        """Starts the collector and the HTTP server. There must be an event already."""
        firehose.collector = firehose.Collector()
        firehose.collector.start()

        def tell():
            while True:
                time.sleep(TELL_SECONDS)
                firehose.send_events()

        threading.Thread(target=tell, daemon=True).start()
        app = Flask("peer")
        flask_server.init_flask(server.server, app)
        http = make_server("127.0.0.1", 0, app, threaded=True)
        threading.Thread(target=http.serve_forever, daemon=True).start()
        return {"url": f"http://127.0.0.1:{http.server_port}"}

    def create(self, did, handle, key):
        """Creates a repo that signs with a key, a number in hexadecimal."""
        signing_key = ec.derive_private_key(int(key, 16), ec.SECP256K1())
        repo = Repo.create(
            server.storage, did, handle=handle, signing_key=signing_key, rotation_key=signing_key, callback=wrote,
        )
        return {"head": text(repo.head.cid), "rev": repo.head.decoded["rev"]}

    def commit(self, did, writes):
        """One commit of [action, collection, rkey, record]."""
        repo = self.load(did)
        made = server.storage.commit(repo, [
            util.Write(util.Action[action.upper()], collection, rkey, record) for action, collection, rkey, record in writes
        ])
        return {"cid": text(made.commit.cid), "rev": made.commit.decoded["rev"], "seq": made.commit.seq}

    def load(self, did):
        repo = server.storage.load_repo(did)
        demand(repo is not None, f"no repo {did}")
        repo.callback = wrote
        return repo

    def set_active(self, did, active):
        """Deactivates or activates a repo."""
        repo = self.load(did)
        (server.storage.activate_repo if active else server.storage.deactivate_repo)(repo)

    def read(self, did):
        """A whole repo from the store, verified, and again by getRepo."""
        repo = self.load(did)
        key = repo.signing_key.public_key()
        demand(util.verify_sig(repo.head.decoded, key), "the commit's signature is wrong")
        entries = checked_entries(repo.mst, repo.head.decoded["data"], server.storage.read_many)
        head, exported = check_car(xrpc_sync.get_repo({}, did=did), key)
        demand(head.cid == repo.head.cid and exported == entries, "getRepo gives another repo than the store")
        return {**described(repo.head, entries), "handle": repo.handle, "status": repo.status,
                "key": did_methods.encode_did_key(key)}

    def read_url(self, url, did):
        """A whole repo from a server's getRepo, verified with the key that is stored here."""
        with urllib.request.urlopen(f"{url}/xrpc/com.atproto.sync.getRepo?did={did}", timeout=60) as answer:
            data = answer.read()
        head, entries = check_car(data, self.load(did).signing_key.public_key())
        return {**described(head, entries), "bytes": len(data)}

    def chain(self, did):
        """All commits of a repo from the first to the newest, each verified, as [CID, rev, seq]."""
        repo = self.load(did)
        key, cid, commits = repo.signing_key.public_key(), repo.head.cid, []
        while cid:
            block = server.storage.read(cid)
            demand(block is not None, f"no commit {cid}")
            commit = block.decoded
            demand(util.verify_sig(commit, key), f"the signature of {cid} is wrong")
            demand(commit["rev"] == util.int_to_tid(block.seq, clock_id=0), f"the rev of {cid} is not its number")
            commits.append([text(cid), commit["rev"], block.seq])
            cid = commit["prev"]
        return list(reversed(commits))

    def remote_blob(self, url, did=None, content=None, mime_type=None):
        """Uses a blob at a URL, as a bridge does: fetched, unless its content is given as text."""
        with server.storage.ndb_client.context():
            repo = AtpRepo.get_by_id(did) if did else None
            given = content.encode() if content is not None else None
            blob = AtpRemoteBlob.get_or_create(url=url, repo=repo, get_fn=requests.get, content=given, mime_type=mime_type)
            return {**described_blob(blob), "object": blob.cid and {"cid": text(blob.as_object()["ref"]), "size": blob.as_object()["size"]}}

    def read_remote_blob(self, url):
        """What is stored of a blob, once for all of its properties."""
        with server.storage.ndb_client.context():
            return described_blob(AtpRemoteBlob.get_by_id(url[:1500]))

    def set_remote_id(self, url, remote_id):
        with server.storage.ndb_client.context():
            blob = AtpRemoteBlob.get_by_id(url[:1500])
            blob.remote_id = remote_id
            blob.put()

    def get_blob(self, did, cid):
        """Where getBlob sends whoever asks."""
        with server.storage.ndb_client.context():
            try:
                xrpc_sync.get_blob({}, did=did, cid=cid)
            except Redirect as redirect:
                return {"status": redirect.status, "to": redirect.to}
        raise Wrong("getBlob gave no redirect")

    def list_blobs(self, did, limit=500, cursor=None):
        with server.storage.ndb_client.context():
            return xrpc_sync.list_blobs({}, did=did, limit=limit, cursor=cursor)

    def events(self, start=0):
        """The events from a number on, as the library reads them from the store."""
        found = []
        for event in server.storage.read_events_by_seq(start=start):
            if isinstance(event, dict):
                found.append({"seq": event["seq"], "kind": event["$type"].split("#")[1], "did": event["did"]})
                continue
            ops = [[op.action.name.lower(), op.path, op.cid and text(op.cid), op.prev_cid and text(op.prev_cid)]
                   for op in event.commit.ops]
            for action, path, cid, _ in ops:
                demand(action == "delete" or CID.decode(cid) in event.blocks, f"{event.commit.seq}: no record at {path}")
            found.append({"seq": event.commit.seq, "kind": "commit", "did": event.commit.decoded["did"],
                          "cid": text(event.commit.cid), "rev": event.commit.decoded["rev"], "ops": ops})
        return found

    def load_test(self, own, shared, seconds, commits, threads, every, prefix):
        """Commits from some threads for some seconds, and until there are so many: each to its part of `own`, every so often to one of
        `shared`.

        Answers with all acknowledged writes, [DID, rkey, "create" or "delete", commit, seq], and with what failed.
        """
        acknowledged, failures, made_here, lock = [], {}, set(), threading.Lock()
        end = time.monotonic() + seconds

        def work(number):
            mine, count, last = own[number::threads], 0, {}
            while time.monotonic() < end or len(made_here) < commits:
                count += 1
                to = shared if shared and count % every == 0 else mine
                did, rkey = to[count // every % len(to)] if to is shared else to[count % len(to)], f"{prefix}{number}x{count}"
                writes = [["create", COLLECTION, rkey, post(f"{prefix} {number} {count}")]]
                old = last.get(did) if count % 7 == 0 else None
                if old:
                    writes.append(["delete", COLLECTION, old, None])
                try:
                    made = self.commit(did, writes)
                except Exception as error:
                    with lock:
                        kind = type(error).__name__
                        failures[kind] = failures.get(kind, 0) + 1
                    continue
                last[did] = rkey
                with lock:
                    made_here.add(made["seq"])
                    acknowledged.extend([did, write[2], write[0], made["cid"], made["seq"]] for write in writes)

        with concurrent.futures.ThreadPoolExecutor(max_workers=threads) as pool:
            list(pool.map(work, range(threads)))
        return {"acknowledged": acknowledged, "failures": failures}


def post(said):
    return {"$type": COLLECTION, "text": said, "createdAt": "2026-01-01T00:00:00.000Z"}


def answer(peer, line, out):
    command = json.loads(line)
    number, name = command.pop("id"), command.pop("do")
    try:
        reply = {"id": number, "ok": getattr(peer, name)(**command)}
    except BaseException as error:
        logging.warning("%s", traceback.format_exc())
        reply = {"id": number, "error": f"{type(error).__name__}: {error}"}
    with out:
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


def main():
    logging.basicConfig(level=os.environ.get("PEER_LOG", "ERROR"), stream=sys.stderr)
    out, peer = threading.Lock(), Peer()
    with concurrent.futures.ThreadPoolExecutor(max_workers=8) as pool:
        for line in sys.stdin:
            pool.submit(answer, peer, line, out)
    os._exit(0)  # servers and readers have threads that never end


if __name__ == "__main__":
    main()
