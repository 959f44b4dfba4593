"""Tails the firehose with the `atproto` package and decodes every frame: header, body, CAR, commit, records.

    firehose.py BASE_URL CURSOR UNTIL_SEQ

Prints one JSON line: frames by type, records decoded, the last sequence number.
"""
import json
import sys
import threading

from atproto import CAR, FirehoseSubscribeReposClient, models, parse_subscribe_repos_message

base, cursor, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
client = FirehoseSubscribeReposClient(
    models.ComAtprotoSyncSubscribeRepos.Params(cursor=cursor), base_uri=base.replace("http", "ws", 1) + "/xrpc"
)
kinds: dict[str, int] = {}
found = {"records": 0, "seq": 0, "blocks": 0}
problems: list[str] = []


def on_message(message):
    body = parse_subscribe_repos_message(message)
    kind = type(body).__module__.rsplit(".", 1)[-1] + "." + type(body).__name__
    kinds[kind] = kinds.get(kind, 0) + 1
    if hasattr(body, "seq"):
        if body.seq <= found["seq"]:
            problems.append(f"seq {body.seq} after {found['seq']}")
        found["seq"] = body.seq
    if isinstance(body, models.ComAtprotoSyncSubscribeRepos.Commit):
        car = CAR.from_bytes(body.blocks)
        found["blocks"] += len(car.blocks)
        commit = car.blocks.get(body.commit)
        if commit is None or commit["did"] != body.repo or commit["rev"] != body.rev:
            problems.append(f"seq {body.seq}: the commit block does not fit the event")
        if str(car.root) != str(body.commit):
            problems.append(f"seq {body.seq}: the root of the CAR is not the commit")
        for op in body.ops:
            if op.cid is None:
                continue
            record = car.blocks.get(op.cid)
            if record is None or record["$type"] != op.path.split("/")[0]:
                problems.append(f"seq {body.seq}: no record for {op.path}")
            else:
                found["records"] += 1
    elif isinstance(body, models.ComAtprotoSyncSubscribeRepos.Sync):
        car = CAR.from_bytes(body.blocks)
        if len(car.blocks) != 1 or next(iter(car.blocks.values()))["rev"] != body.rev:
            problems.append(f"seq {body.seq}: the sync block does not fit the event")
    if found["seq"] >= last:
        client.stop()


def on_error(error):
    problems.append(repr(error))
    client.stop()


watchdog = threading.Timer(60, lambda: (problems.append("no end within 60 s"), client.stop()))
watchdog.daemon = True
watchdog.start()
client.start(on_message, on_error)
print(json.dumps({"kinds": kinds, **found, "problems": problems}))
sys.exit(1 if problems else 0)
