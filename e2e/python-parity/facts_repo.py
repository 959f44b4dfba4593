"""What repos, storage, trees, the firehose and the XRPC handlers of arroba give on a seeded workload, as JSON.

The tests in crates/arroba/tests/it/python_names run the same workload through this library and compare. Nothing here goes to the
network. Signatures are random, so commits are compared by what they sign.
"""
import contextlib
import io
import json
import logging
import os
import random
import sys

os.environ['PDS_HOST'] = 'pds.test'
os.environ['PLC_HOST'] = 'plc.test'
for name in 'REPO_TOKEN', 'REPO_PASSWORD', 'SUPPORTED_COLLECTIONS', 'DISABLE_GETREPO', 'GETREPO_TOKEN':
    os.environ.pop(name, None)
logging.disable(logging.CRITICAL)

from datetime import datetime, timedelta, timezone

from carbox import read_car
import flask
import lexrpc.flask_server
from multiformats import CID

from arroba import diff as diff_mod
from arroba import firehose, mst as mst_mod, server, storage as storage_mod, util, vis
from arroba import xrpc_actor, xrpc_identity, xrpc_repo, xrpc_server, xrpc_sync
from arroba.mst import Leaf, MST, Walker
from arroba.repo import Repo
from arroba.storage import Action, MemoryStorage
from arroba.util import Write

NOTE = 'com.example.note'
MARK = 'com.example.mark'
ALICE = 'did:web:alice.test'
BOB = 'did:web:bob.test'


def b32(cid):
    return cid.encode('base32') if cid is not None else None


def value(n):
    return util.dag_cbor_cid({'n': n})


def stored(tree):
    """The tree with all its nodes in storage."""
    _, blocks = tree.get_unstored_blocks()
    tree.storage.write_blocks(blocks.values())
    return tree


def error(fn):
    try:
        fn()
    except Exception as e:  # the kind and the text are what is compared
        return {'kind': type(e).__name__, 'message': str(e)[:120]}
    return None


def keys():
    rand = random.Random(2026)
    found = []
    for n in range(160):
        collection = rand.choice((NOTE, MARK, 'app.bsky.feed.post'))
        found.append(f'{collection}/{util.int_to_tid(1_700_000_000_000_000 + rand.randrange(10**12), clock_id=0)}')
    return found


def trees():
    """Inserts, updates and deletes, one at a time."""
    rand = random.Random(7)
    storage = MemoryStorage()
    tree = MST.create(storage=storage)
    steps = []
    present = []

    def step(action, key, n):
        nonlocal tree
        before = tree
        tree = {'add': lambda: tree.add(key, value(n)),
                'update': lambda: tree.update(key, value(n)),
                'delete': lambda: tree.delete(key)}[action]()
        stored(tree)
        steps.append({'action': action, 'key': key, 'n': n, 'root': b32(tree.get_pointer())})
        return before

    for n, key in enumerate(keys()):
        step('add', key, n)
        present.append(key)
    full = tree
    for n in range(25):
        step('update', rand.choice(present), 1000 + n)
    updated = tree
    for _ in range(70):
        step('delete', present.pop(rand.randrange(len(present))), None)
    return {'steps': steps, 'names': names_of(tree, present), 'diffs': diffs(full, updated, tree),
            'walks': walks(tree), 'errors': tree_errors(tree, present[0])}


def reloaded(tree):
    return MST.load(storage=tree.storage, cid=tree.get_pointer())


def names_of(tree, present):
    tree = reloaded(tree)
    ordered = sorted(present)
    lo, hi = ordered[20], ordered[60]
    leaf = lambda l: [l.key, b32(l.value)]
    return {
        'get': {key: b32(tree.get(key)) for key in ordered[:5] + [f'{NOTE}/missing']},
        'list': [leaf(l) for l in tree.list()],
        'list_between': {'after': lo, 'before': hi, 'keys': [l.key for l in tree.list(after=lo, before=hi)]},
        'list_with_prefix': {p: [l.key for l in tree.list_with_prefix(p)] for p in (f'{NOTE}/', 'com.example.', 'x')},
        'walk': [['leaf', n.key] if isinstance(n, Leaf) else ['node', b32(n.get_pointer())] for n in tree.walk()],
        'walk_leaves_from': {'from': hi, 'keys': [l.key for l in tree.walk_leaves_from(hi)]},
        'leaves': len(tree.leaves()), 'leaf_count': tree.leaf_count(), 'all_nodes': len(tree.all_nodes()),
        'layer': tree.get_layer(),
        'cids_for_path': {key: [b32(c) for c in tree.cids_for_path(key)] for key in ordered[:6] + [f'{NOTE}/missing']},
        'leading_zeros_on_hash': {key: mst_mod.leading_zeros_on_hash(key) for key in ordered[:40]},
        'common_prefix_len': [[a, b, mst_mod.common_prefix_len(a, b)] for a, b in
                              (('abc', 'abd'), ('', 'a'), ('abc', 'abc'), ('abc', 'abcd'), ('x', 'y'))],
        'ensure_valid_key': {key: error(lambda: mst_mod.ensure_valid_key(key)) is None for key in
                             ('a.b.c/d', 'a.b.c', '/d', 'a.b.c/', 'a.b.c/d/e', 'a.b.c/d d', 'a.b.c/~', 'a.b.c/d:e_-.',
                              'a.b.c/' + 'k' * 251, 'a.b.c/' + 'k' * 250)},
    }


def diffs(*versions):
    found = []
    for prev, cur in zip(versions, versions[1:] + versions[:1]):
        d = diff_mod.mst_diff(reloaded(cur), reloaded(prev))
        found.append(diff_json(d, b32(prev.get_pointer()), b32(cur.get_pointer())))
    d = diff_mod.null_diff(reloaded(versions[-1]))
    found.append(diff_json(d, None, b32(versions[-1].get_pointer())))
    return found


def diff_json(d, prev, cur):
    return {
        'prev': prev, 'cur': cur,
        'adds': {c.key: b32(c.cid) for c in d.adds.values()},
        'updates': {c.key: [b32(c.prev), b32(c.cid)] for c in d.updates.values()},
        'deletes': {c.key: b32(c.cid) for c in d.deletes.values()},
        'new_cids': sorted(b32(c) for c in d.new_cids),
        'removed_cids': sorted(b32(c) for c in d.removed_cids),
    }


def walks(tree):
    rand = random.Random(3)
    tree = reloaded(tree)
    tree.get_layer()
    walker = Walker(tree)
    steps = []
    while not walker.status.done:
        cur = walker.status.cur
        item = ['leaf', cur.key] if isinstance(cur, Leaf) else ['node', b32(cur.get_pointer())]
        step = 'over' if isinstance(cur, Leaf) else rand.choice(('into', 'advance', 'into', 'advance', 'over'))
        if not steps:
            step = 'into'
        steps.append({'item': item, 'step': step})
        {'over': walker.step_over, 'into': walker.step_into, 'advance': walker.advance}[step]()
    return steps


def tree_errors(tree, key):
    return {
        'add_existing': error(lambda: tree.add(key, value(1))),
        'update_missing': error(lambda: tree.update(f'{NOTE}/missing', value(1))),
        'delete_missing': error(lambda: tree.delete(f'{NOTE}/missing')),
        'into_leaf': error(lambda: into_leaf(tree)),
    }


def into_leaf(tree):
    walker = Walker(tree)
    while not isinstance(walker.status.cur, Leaf):
        walker.step_into()
    walker.step_into()


def note(n):
    return {'$type': NOTE, 'text': f'note {n}', 'n': n}


def batches():
    """The writes of a story, in commits: created, updated, deleted, several at once."""
    rand = random.Random(11)
    present = {}
    found = []
    for round in range(24):
        writes = []
        touched = set()
        for _ in range(rand.choice((1, 1, 1, 2, 5, 12))):
            kind = rand.choice(('create', 'create', 'update', 'delete')) if len(present) > 10 else 'create'
            free = sorted(set(present) - touched)
            if kind != 'create' and not free:
                kind = 'create'
            n = rand.randrange(10**6)
            if kind == 'create':
                key = (rand.choice((NOTE, MARK)), util.int_to_tid(1_700_000_000_000_000 + n, clock_id=round % 32))
                if key in present or key in touched:
                    continue
                present[key] = n
                record = {**note(n), '$type': key[0]}
            elif kind == 'update':
                key = rand.choice(free)
                record = {**note(n), '$type': key[0]}
            else:
                key = rand.choice(free)
                del present[key]
                record = None
            touched.add(key)
            writes.append({'action': kind, 'collection': key[0], 'rkey': key[1], 'record': record})
        found.append(writes)
    return found


def as_write(write):
    return Write(Action[write['action'].upper()], write['collection'], write['rkey'], write['record'])


def new_repo(storage, did, handle, seed):
    return Repo.create(storage, did, handle=handle, signing_key=util.new_key(seed=seed))


def stories():
    storage = server.storage = MemoryStorage()
    alice = new_repo(storage, ALICE, 'alice.test', 1)
    bob = new_repo(storage, BOB, 'bob.test', 2)
    created = [kind(e) for e in storage.read_events_by_seq(repo=ALICE)]
    commits = []
    middle = None
    for n, writes in enumerate(batches()):
        data = storage.commit(alice, [as_write(w) for w in writes])
        if n == 11:
            middle = data.commit.decoded['rev']
        if n % 5 == 0:
            storage.commit(bob, [Write(Action.CREATE, NOTE, util.int_to_tid(n, clock_id=0), note(n))])
        header, payload = firehose.process_event(
            [e for e in storage.read_events_by_seq(repo=ALICE) if kind(e) == '#commit'][-1])
        _, blocks = read_car(payload['blocks'])
        commits.append({
            'writes': writes,
            'data': b32(data.commit.decoded['data']),
            'prev_data': b32(payload.get('prevData')),
            'ops': [[o['action'], o['path'], b32(o['cid']), b32(o.get('prev'))] for o in payload['ops']],
            'blocks': sorted(b32(b.cid) for b in blocks if b.cid != data.commit.cid),
        })
    alice = storage.load_repo(ALICE)
    first = sorted(f'{c}/{r}' for c, rs in alice.get_contents().items() for r in rs)[0].split('/')
    result = {
        'created_events': created,
        'commits': commits,
        'contents': alice.get_contents(),
        'record': {'path': first, 'record': alice.get_record(*first)},
        'no_record': alice.get_record(NOTE, 'missing'),
        'attributes': {'did': alice.did, 'version': alice.version, 'handle': alice.handle, 'status': alice.status},
        'writes_since': [[w.action.name.lower(), f'{w.collection}/{w.rkey}', w.record]
                         for w in storage.read_writes_since(ALICE, middle)],
        'writes_since_limit': len({f'{w.collection}/{w.rkey}' for w in storage.read_writes_since(ALICE, middle, limit=2)}),
        'events_of_alice': [kind(e) for e in storage.read_events_by_seq(repo=ALICE)],
        'blocks': sorted(b32(CID.decode(cid) if isinstance(cid, bytes) else cid) for cid, _ in alice.mst.load_all()),
        'has': [storage.has(alice.head.cid), storage.has(value('nothing'))],
        'vis': vis_names(alice.mst),
        'limits': [storage_mod.MAX_RECORD_SIZE_BYTES, storage_mod.MAX_COMMIT_BLOCKS_BYTES,
                   storage_mod.MAX_EVENT_SIZE_BYTES, storage_mod.MAX_OPERATIONS_PER_COMMIT],
    }
    path = alice.mst.leaves()[0].key.split('/')
    result['errors'] = {
        'create_existing': error(lambda: storage.commit(alice, Write(Action.CREATE, *path, note(1)))),
        'update_missing': error(lambda: storage.commit(alice, Write(Action.UPDATE, NOTE, 'missing', note(1)))),
        'delete_missing': error(lambda: storage.commit(alice, Write(Action.DELETE, NOTE, 'missing'))),
        'too_many': error(lambda: storage.commit(alice, [Write(Action.CREATE, NOTE, f'k{n}', note(n)) for n in range(201)])),
        'too_large': error(lambda: storage.commit(alice, Write(Action.CREATE, NOTE, 'big', {'$type': NOTE, 'text': 'x' * 1_000_000}))),
        'invalid': error(lambda: storage.commit(alice, Write(Action.CREATE, 'app.bsky.feed.post', 'k', {'$type': 'app.bsky.feed.post', 'text': 1}))),
    }
    result['statuses'] = statuses(storage, alice)
    result['repos'] = [r.did for r in storage.load_repos()]
    result['repos_after'] = [r.did for r in storage.load_repos(after=ALICE, limit=1)]
    return result


def kind(event):
    if isinstance(event, dict):
        return '#' + event['$type'].partition('#')[2]
    return '#commit'


def statuses(storage, repo):
    last = storage.sequences.last('com.atproto.sync.subscribeRepos')
    storage.deactivate_repo(repo)
    inactive = error(lambda: storage.commit(repo, Write(Action.CREATE, NOTE, 'k', note(1))))
    storage.activate_repo(repo)
    storage.tombstone_repo(repo)
    dead = error(lambda: storage.commit(repo, Write(Action.CREATE, NOTE, 'k', note(1))))
    events = [e for e in storage.read_events_by_seq(start=last + 1)]
    return {'inactive': inactive['kind'], 'tombstoned': dead['kind'],
            'events': [[kind(e), e.get('active'), e.get('status')] for e in events]}


def vis_names(tree):
    with contextlib.redirect_stdout(io.StringIO()):  # it shows its progress
        dot = vis.render(tree)
    lines = dot.splitlines()
    return {'nodes': sum('shape=ellipse' in line for line in lines),
            'leaves': sum('shape=box' in line for line in lines)}


def xrpc():
    """The handlers over HTTP."""
    storage = server.storage = MemoryStorage()
    alice = new_repo(storage, ALICE, 'alice.test', 1)
    new_repo(storage, BOB, 'bob.test', 2)
    storage.commit(alice, [Write(Action.CREATE, NOTE, f'key{n}', note(n)) for n in range(3)])
    app = flask.Flask('parity')
    lexrpc.flask_server.init_flask(server.server, app)
    client = app.test_client()
    answers = []

    def call(name, nsid, params=None, body=None, token=None, method=None):
        headers = {'Authorization': f'Bearer {token}'} if token else {}
        url = f'/xrpc/{nsid}'
        if body is not None:
            response = client.post(url, json=body, headers=headers)
        else:
            response = client.open(url, method=method or 'GET', query_string=params, headers=headers)
        data = response.get_json(silent=True)
        answers.append({
            'name': name, 'nsid': nsid, 'params': params, 'body': body, 'token': token, 'status': response.status_code,
            'json': data if isinstance(data, dict) else None,
            'cids': sorted(b32(b.cid) for b in read_car(response.data)[1] if b.cid != storage.load_repo(ALICE).head.cid)
                    if response.status_code == 200 and not isinstance(data, dict) and response.data[:1] in (b'\x3a', b'\x11') else None,
            'www_authenticate': response.headers.get('WWW-Authenticate'),
        })

    create = {'repo': ALICE, 'collection': NOTE, 'rkey': 'new', 'record': note(7)}
    call('write without REPO_TOKEN', 'com.atproto.repo.createRecord', body=create)
    os.environ['REPO_TOKEN'] = 'towel'
    call('write without credentials', 'com.atproto.repo.createRecord', body=create)
    call('write with the wrong token', 'com.atproto.repo.createRecord', body=create, token='wrong')
    call('create', 'com.atproto.repo.createRecord', body=create, token='towel')
    call('put', 'com.atproto.repo.putRecord', body={**create, 'record': note(8)}, token='towel')
    call('delete', 'com.atproto.repo.deleteRecord', body={'repo': ALICE, 'collection': NOTE, 'rkey': 'key2'}, token='towel')
    call('delete what is not there', 'com.atproto.repo.deleteRecord', body={'repo': ALICE, 'collection': NOTE, 'rkey': 'none'}, token='towel')
    call('applyWrites', 'com.atproto.repo.applyWrites', token='towel', body={'repo': ALICE, 'writes': [
        {'$type': 'com.atproto.repo.applyWrites#create', 'collection': NOTE, 'rkey': 'a', 'value': note(1)},
        {'$type': 'com.atproto.repo.applyWrites#update', 'collection': NOTE, 'rkey': 'key1', 'value': note(11)},
        {'$type': 'com.atproto.repo.applyWrites#delete', 'collection': NOTE, 'rkey': 'key0'}]})
    call('uploadBlob', 'com.atproto.repo.uploadBlob', token='towel', body={})
    call('write to no repo', 'com.atproto.repo.createRecord', body={**create, 'repo': 'did:web:nobody.test'}, token='towel')
    call('getRecord', 'com.atproto.repo.getRecord', {'repo': ALICE, 'collection': NOTE, 'rkey': 'key1'})
    call('getRecord missing', 'com.atproto.repo.getRecord', {'repo': ALICE, 'collection': NOTE, 'rkey': 'none'})
    call('getRecord of nobody', 'com.atproto.repo.getRecord', {'repo': 'did:web:nobody.test', 'collection': NOTE, 'rkey': 'none'})
    call('listRecords', 'com.atproto.repo.listRecords', {'repo': ALICE, 'collection': NOTE})
    call('listRecords of nothing', 'com.atproto.repo.listRecords', {'repo': ALICE, 'collection': MARK})
    call('getRepo', 'com.atproto.sync.getRepo', {'did': ALICE})
    call('getCheckout', 'com.atproto.sync.getCheckout', {'did': ALICE})
    call('getRepo of nobody', 'com.atproto.sync.getRepo', {'did': 'did:web:nobody.test'})
    call('getLatestCommit', 'com.atproto.sync.getLatestCommit', {'did': ALICE})
    call('getHead', 'com.atproto.sync.getHead', {'did': ALICE})
    call('getRepoStatus', 'com.atproto.sync.getRepoStatus', {'did': ALICE})
    call('listRepos', 'com.atproto.sync.listRepos', {})
    call('getRecord proof', 'com.atproto.sync.getRecord', {'did': ALICE, 'collection': NOTE, 'rkey': 'key1'})
    call('getRecord proof missing', 'com.atproto.sync.getRecord', {'did': ALICE, 'collection': NOTE, 'rkey': 'none'})
    root = b32(storage.load_repo(ALICE).mst.get_pointer())
    call('getBlocks', 'com.atproto.sync.getBlocks', {'did': ALICE, 'cids': [root]})
    call('getBlocks missing', 'com.atproto.sync.getBlocks', {'did': ALICE, 'cids': [b32(value('nothing'))]})
    call('describeServer', 'com.atproto.server.describeServer', {})
    call('unknown method', 'com.example.unknown', {})

    xrpc_repo.SUPPORTED_COLLECTIONS = frozenset((MARK,))
    call('unsupported write', 'com.atproto.repo.createRecord', body=create, token='towel')
    call('unsupported put', 'com.atproto.repo.putRecord', body=create, token='towel')
    call('unsupported delete', 'com.atproto.repo.deleteRecord', body={'repo': ALICE, 'collection': NOTE, 'rkey': 'a'}, token='towel')
    call('unsupported applyWrites', 'com.atproto.repo.applyWrites', token='towel', body={'repo': ALICE, 'writes': [
        {'$type': 'com.atproto.repo.applyWrites#delete', 'collection': NOTE, 'rkey': 'a'}]})
    call('unsupported getRecord', 'com.atproto.repo.getRecord', {'repo': ALICE, 'collection': NOTE, 'rkey': 'a'})
    call('unsupported listRecords', 'com.atproto.repo.listRecords', {'repo': ALICE, 'collection': NOTE})
    xrpc_repo.SUPPORTED_COLLECTIONS = frozenset()

    util.DISABLE_GETREPO = True
    storage.load_repo(ALICE).created = datetime.now(timezone.utc) - timedelta(hours=11)
    call('getRepo of a new repo', 'com.atproto.sync.getRepo', {'did': ALICE})
    storage.load_repo(ALICE).created = datetime.now(timezone.utc) - timedelta(hours=13)
    call('getRepo of an old repo', 'com.atproto.sync.getRepo', {'did': ALICE})
    util.GETREPO_TOKEN = 'key'
    call('getRepo of an old repo with the wrong token', 'com.atproto.sync.getRepo', {'did': ALICE}, token='wrong')
    call('getRepo of an old repo with the token', 'com.atproto.sync.getRepo', {'did': ALICE}, token='key')
    util.DISABLE_GETREPO = False

    server.authenticate = lambda: (ALICE, ('atproto', f'repo:{NOTE}?action=create', f'repo:{MARK}'))
    scoped = {'repo': ALICE, 'collection': NOTE, 'rkey': 'scoped', 'record': note(3)}
    call('scoped create', 'com.atproto.repo.createRecord', body=scoped)
    call('scoped put over', 'com.atproto.repo.putRecord', body={**scoped, 'record': note(4)})
    call('scoped put anew', 'com.atproto.repo.putRecord', body={**scoped, 'rkey': 'other'})
    call('scoped delete', 'com.atproto.repo.deleteRecord', body={'repo': ALICE, 'collection': NOTE, 'rkey': 'scoped'})
    call('scoped applyWrites', 'com.atproto.repo.applyWrites', body={'repo': ALICE, 'writes': [
        {'$type': 'com.atproto.repo.applyWrites#create', 'collection': MARK, 'rkey': 'm', 'value': {**note(1), '$type': MARK}},
        {'$type': 'com.atproto.repo.applyWrites#delete', 'collection': NOTE, 'rkey': 'scoped'}]})
    call('scoped other repo', 'com.atproto.repo.createRecord', body={**scoped, 'repo': BOB})
    storage.deactivate_repo(storage.load_repo(ALICE))
    call('getRepoStatus deactivated', 'com.atproto.sync.getRepoStatus', {'did': ALICE})
    call('listRepos deactivated', 'com.atproto.sync.listRepos', {})
    call('getRepo deactivated', 'com.atproto.sync.getRepo', {'did': ALICE})
    return answers


def main():
    result = {'arroba': '3.1', 'trees': trees(), 'story': stories(), 'xrpc': xrpc()}
    json.dump(result, sys.stdout, indent=1, sort_keys=True)
    print()


if __name__ == '__main__':
    main()
