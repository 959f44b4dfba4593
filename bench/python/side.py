"""The Python library (arroba 3.1) as one side of the benchmark `python`, driven by JSON lines.

Each line of standard input is a command, {"do": "commit", ...}; each line of standard output its answer, {"ok": ...} or
{"error": "..."}, in the same order. The methods of Side are the commands. Those that are measured answer with the CPU time (user and
system, all threads of this process) and wall time that the operations took, in seconds, with the calls to Datastore by kind, and with
an outcome that has to be the other side's too. Reading commands, making arguments and checking outcomes is not measured.

It wants DATASTORE_EMULATOR_HOST and ENCRYPTED_PROPERTY_KEY, if the repos are on Datastore. Its log goes to standard error.
"""

import hashlib
import importlib.metadata
import io
import json
import logging
import os
import platform
import sys
import time
import traceback
from pathlib import Path

import dag_cbor
from arroba import did as did_methods
from arroba import firehose, server, storage, util
from arroba import xrpc_repo, xrpc_sync
from arroba.datastore_storage import DatastoreStorage
from arroba.mst import MST
from arroba.repo import Repo
from cachetools.keys import hashkey
from carbox import car
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from google.auth.credentials import AnonymousCredentials
from google.cloud import ndb

KINDS = {
    "lookup": "lookups",
    "run_query": "queries",
    "begin_transaction": "begins",
    "commit": "commits",
    "rollback": "rollbacks",
}


class Calls:
    """The stub that the library calls Datastore through, and how often it did so; every attempt counts."""

    def __init__(self, stub):
        self.counts = dict.fromkeys([*KINDS.values(), "keys"], 0)
        for name, kind in KINDS.items():
            setattr(self, name, CountedMethod(getattr(stub, name), kind, self.counts))


class CountedMethod:
    def __init__(self, method, kind, counts):
        self.method, self.kind, self.counts = method, kind, counts

    def future(self, request, **kwargs):
        self.counts[self.kind] += 1
        if self.kind == "lookups":
            self.counts["keys"] += len(request.keys)
        return self.method.future(request, **kwargs)


class Stopwatch:
    """What the blocks under `with` took, in sum."""

    def __init__(self, calls):
        self.counts = calls.counts if calls else {}
        self.cpu = self.wall = 0.0
        self.calls = dict.fromkeys(self.counts, 0)

    def __enter__(self):
        self.before = dict(self.counts)
        self.cpu_before, self.wall_before = time.process_time(), time.perf_counter()

    def __exit__(self, *_):
        self.cpu += time.process_time() - self.cpu_before
        self.wall += time.perf_counter() - self.wall_before
        for kind, count in self.counts.items():
            self.calls[kind] += count - self.before[kind]

    def measured(self, operations, **outcome):
        return {"cpu": self.cpu, "wall": self.wall, "operations": operations, "calls": self.calls, "outcome": outcome}


class Side:
    def start(self, did, handle, key, project, records):
        """Makes the store and a repo that signs with a key, a number in hexadecimal; `records` are [path, JSON]."""
        self.calls = None
        if project is None:
            server.storage = storage.MemoryStorage()
        else:
            client = ndb.Client(project=project, credentials=AnonymousCredentials())
            client.stub = self.calls = Calls(client.stub)
            server.storage = DatastoreStorage(ndb_client=client)
        self.on_datastore = project is not None
        self.did = did
        self.key = ec.derive_private_key(int(key, 16), ec.SECP256K1())
        self.records = [(path, json.loads(record)) for path, record in records]
        self.repo = Repo.create(server.storage, did, handle=handle, signing_key=self.key, rotation_key=self.key)
        self.app = Flask("side")
        os.environ["REPO_TOKEN"] = "benchmark"
        return {"library": importlib.metadata.version("arroba"), "python": platform.python_version()}

    def insert(self, records):
        """One key after the other into an empty tree, then all nodes encoded and hashed."""
        entries = self.entries(records)
        tree = MST.create(storage=storage.MemoryStorage())
        watch = Stopwatch(self.calls)
        with watch:
            for path, cid in entries:
                tree = tree.add(path, cid)
            root = tree.get_pointer()
        return watch.measured(len(entries), root=text(root))

    def insert_stored(self, records):
        """The same into the repo's tree, of which the nodes are read as they are needed; nothing is written."""
        entries = self.entries(records)
        watch = Stopwatch(self.calls)
        with watch:
            tree = server.storage.load_repo(self.did).mst
            for path, cid in entries:
                tree = tree.add(path, cid)
            root = tree.get_pointer()
        return watch.measured(len(entries), root=text(root))

    def entries(self, records):
        return [(path, util.dag_cbor_cid(record)) for path, record in self.records[records["start"]:records["end"]]]

    def commit(self, records, batch, cold):
        """New records, `batch` in a commit. No node is ever kept in memory on Datastore, so all commits are cold."""
        chosen = self.records[records["start"]:records["end"]]
        batches = [
            [util.Write(util.Action.CREATE, *path.split("/"), record) for path, record in chosen[start:start + batch]]
            for start in range(0, len(chosen), batch)
        ]
        watch = Stopwatch(self.calls)
        for writes in batches:
            with watch:
                made = server.storage.commit(self.repo, writes)
        commit = made.commit.decoded
        return watch.measured(len(batches), root=text(commit["data"]), seq=made.commit.seq,
                              rev=commit["rev"] if self.on_datastore else None)

    def export(self):
        """getRepo."""
        watch = Stopwatch(self.calls)
        with watch:
            file = xrpc_sync.get_repo({}, did=self.did)
        roots, blocks = car.read_car(file)
        cids = sorted(text(block.cid) for block in blocks if block.cid != roots[0])
        return watch.measured(1, blocks=len(blocks), cids=digest(cids))

    def events(self, after, count):
        """Past events from the store to the frame on the wire, as a subscriber gets them whose cursor is behind the window in memory."""
        watch, frames = Stopwatch(self.calls), []
        with watch:
            for event in server.storage.read_events_by_seq(start=after + 1):
                header, payload = firehose.process_event(event)
                frames.append(dag_cbor.encode(header) + dag_cbor.encode(payload))
        return watch.measured(len(frames), writes=digest(line for frame in frames for line in written(frame)))

    def import_repo(self, did, handle, file):
        """importRepo, with the DID document at hand; the repo is made by it."""
        document = {
            "id": did, "alsoKnownAs": [f"at://{handle}"],
            "verificationMethod": [{
                "id": f"{did}#atproto", "type": "Multikey", "controller": did,
                "publicKeyMultibase": did_methods.encode_did_key(self.key.public_key()).removeprefix("did:key:"),
            }],
        }
        # As if it had been resolved just before: neither side asks a directory.
        did_methods.resolve_plc.cache[hashkey(did)] = document
        data = Path(file).read_bytes()
        watch = Stopwatch(self.calls)
        with self.app.test_request_context(headers={"Authorization": f"Bearer {os.environ['REPO_TOKEN']}"}), watch:
            xrpc_repo.import_repo(data)
        return watch.measured(1, **state(did))

    def state(self):
        """What is in the repo now."""
        return Stopwatch(self.calls).measured(1, **state(self.did))


def state(did):
    repo = server.storage.load_repo(did)
    entries = repo.mst.list()
    return {
        "root": text(repo.head.decoded["data"]), "records": len(entries),
        "listing": digest(f"{entry.key} {text(entry.value)}" for entry in entries),
    }


def written(frame):
    """The writes in a frame as it goes over the wire."""
    stream = io.BytesIO(frame)
    header = dag_cbor.decode(stream, allow_concat=True)
    payload = dag_cbor.decode(stream)
    if header["t"] != "#commit":
        raise ValueError(f"an event {header} where only commits are expected")
    return [f"{payload['seq']} {op['action']} {op['path']} {text(op['cid'])}" for op in payload["ops"]]


def text(cid):
    return cid.encode("base32")


def digest(lines):
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def main():
    logging.basicConfig(level=os.environ.get("SIDE_LOG", "ERROR"), stream=sys.stderr)
    side = Side()
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = {"ok": getattr(side, command.pop("do"))(**command)}
        except Exception as error:
            logging.error("%s", traceback.format_exc())
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
