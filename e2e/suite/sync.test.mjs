// com.atproto.sync.*: reads of repos, checked with the published verifier.
import { test, describe } from 'node:test'
import assert from 'node:assert/strict'
import { verifyProofs, verifyRecords, verifyRepoCar } from '@atproto/repo'
import { CID } from 'multiformats/cid'
import { api, differ, kind, newAccount, ok, POST, post, refused, signingKey } from '../lib/under-test.mjs'
import { carOrder, decodeBlock, openCar } from '../lib/frames.mjs'

const COLLECTION = 'com.example.thing'
const NOBODY = 'did:plc:ewvi7nxzyoun6zhxrhs64oiz'
const rkeyOf = (uri) => uri.split('/').pop()
const getRepo = (did, more = {}, options = {}) => api.get('com.atproto.sync.getRepo', { did, ...more }, options)
const proof = (did, collection, rkey) => api.get('com.atproto.sync.getRecord', { did, collection, rkey })

async function filled(n = 60) {
  const account = await newAccount()
  const create = (collection, rkey, value) => ({ $type: 'com.atproto.repo.applyWrites#create', collection, rkey, value })
  ok(await account.apply(Array.from({ length: n }, (_, i) => create(['com.example.a', COLLECTION, 'com.example.z'][i % 3], `k${String(i).padStart(4, '0')}`, { i }))))
  return account
}

/** The pre-order a streaming reader relies on: the commit, then each node followed by what it names, from left to right. */
function preOrder(root, blocks) {
  const order = [root]
  const walk = (cid) => {
    const node = decodeBlock(blocks.get(cid))
    order.push(cid)
    if (node.l) walk(node.l.toString())
    for (const entry of node.e) {
      order.push(entry.v.toString())
      if (entry.t) walk(entry.t.toString())
    }
  }
  walk(decodeBlock(blocks.get(root)).data.toString())
  return order
}

describe('sync', () => {
  test('getRepo: the published verifier accepts it and finds every record', async () => {
    const account = await filled()
    ok(await account.delete('com.example.a', 'k0000'))
    const reply = ok(await getRepo(account.did))
    assert.equal(reply.header('content-type'), 'application/vnd.ipld.car')
    const verified = await verifyRepoCar(reply.bytes, account.did, await signingKey(account.did))
    assert.equal(verified.creates.length, 59)
    const latest = await account.latest()
    const { roots, blocks } = await openCar(reply.bytes)
    assert.deepEqual(roots, [latest.cid])
    const commit = decodeBlock(blocks.get(latest.cid))
    assert.deepEqual([commit.did, commit.rev, commit.version, commit.prev], [account.did, latest.rev, 3, null])
    for (const { collection, rkey, cid } of verified.creates) {
      assert.deepEqual(decodeBlock(blocks.get(cid.toString())), { $type: collection, i: Number(rkey.slice(1)) })
    }
  })

  test('getRepo: what was deleted or replaced is gone', async () => {
    const account = await newAccount()
    const first = ok(await account.put(COLLECTION, 'k', { n: 1 })).body
    const second = ok(await account.put(COLLECTION, 'k', { n: 2 })).body
    const third = ok(await account.put(COLLECTION, 'other', { n: 3 })).body
    ok(await account.delete(COLLECTION, 'other'))
    const { blocks } = await openCar(ok(await getRepo(account.did)).bytes)
    assert.ok(blocks.has(second.cid))
    for (const cid of [first.cid, third.cid, first.commit.cid]) {
      assert.ok(!blocks.has(cid))
      refused(await api.get('com.atproto.sync.getBlocks', { did: account.did, cids: [cid] }), 400)
    }
  })

  test('getRepo: one block for one CID at two paths survives the deletion of one', async () => {
    const account = await newAccount()
    const one = ok(await account.put(COLLECTION, 'a', { n: 1 })).body
    const two = ok(await account.put(COLLECTION, 'b', { n: 1 })).body
    assert.equal(one.cid, two.cid)
    ok(await account.delete(COLLECTION, 'a'))
    const reply = ok(await getRepo(account.did))
    const verified = await verifyRepoCar(reply.bytes, account.did, await signingKey(account.did))
    assert.deepEqual(verified.creates.map((create) => create.rkey), ['b'])
  })

  test('getRepo: block order', async () => {
    const account = await filled(150)
    const { bytes } = ok(await getRepo(account.did))
    const { roots, blocks } = await openCar(bytes)
    const expected = preOrder(roots[0], blocks)
    const order = carOrder(bytes)
    const rule = 'commit first, then the tree in pre-order with records interleaved (DESIGN 3, streamable CAR order)'
    if (differ(rule, { reference: false, arroba: true })) {
      assert.deepEqual(order, expected)
      assert.deepEqual(ok(await getRepo(account.did)).bytes, bytes, 'byte-deterministic')
    } else {
      assert.deepEqual(order.toSorted(), [...new Set(expected)].toSorted())
    }
  })

  test('getRepo: since gives the newer blocks only', async () => {
    const account = await filled(30)
    const { rev } = await account.latest()
    const old = await openCar(ok(await getRepo(account.did)).bytes)
    const made = ok(await account.put(COLLECTION, 'new', { n: 1 })).body
    const { roots, blocks } = await openCar(ok(await getRepo(account.did, { since: rev })).bytes)
    assert.deepEqual(roots, [made.commit.cid])
    assert.ok(blocks.has(made.cid) && blocks.has(made.commit.cid))
    for (const cid of blocks.keys()) assert.ok(!old.blocks.has(cid), `${cid} is not newer`)
    const full = await openCar(ok(await getRepo(account.did)).bytes)
    for (const cid of full.blocks.keys()) assert.ok(old.blocks.has(cid) || blocks.has(cid), `${cid} is in neither`)
    const none = await openCar(ok(await getRepo(account.did, { since: made.commit.rev })).bytes)
    const rule = 'the root of a CAR is in it, also when nothing is newer (pitfalls: head block always included)'
    assert.deepEqual([...none.blocks.keys()], differ(rule, { reference: [], arroba: [made.commit.cid] }))
    assert.deepEqual(none.roots, [made.commit.cid])
    const future = await openCar(ok(await getRepo(account.did, { since: '7zzzzzzzzzzzz' })).bytes)
    assert.ok(future.blocks.size <= 1)
  })

  test('getRepo: ETag and 304', async () => {
    const account = await filled(5)
    const first = ok(await getRepo(account.did))
    const rule = 'getRepo has an ETag and answers If-None-Match with 304 (the issue, slice 3)'
    if (!differ(rule, { reference: false, arroba: true })) return
    const etag = first.header('etag')
    assert.ok(etag)
    const again = await getRepo(account.did, {}, { headers: { 'if-none-match': etag } })
    assert.equal(again.status, 304)
    assert.equal(again.bytes.length, 0)
    ok(await account.put(COLLECTION, 'more', {}))
    const changed = ok(await getRepo(account.did, {}, { headers: { 'if-none-match': etag } }))
    assert.notEqual(changed.header('etag'), etag)
  })

  test('getRepo of an empty repo', async () => {
    const account = await newAccount()
    const { bytes } = ok(await getRepo(account.did))
    const { roots, blocks } = await openCar(bytes)
    const commit = decodeBlock(blocks.get(roots[0]))
    assert.equal(commit.data.toString(), 'bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm')
    assert.equal(blocks.size, 2)
    assert.equal((await verifyRepoCar(bytes, account.did, await signingKey(account.did))).creates.length, 0)
  })

  test('getRecord: proofs of presence and absence', async () => {
    const account = await filled()
    const key = await signingKey(account.did)
    const found = ok(await proof(account.did, COLLECTION, 'k0001'))
    assert.equal(found.header('content-type'), 'application/vnd.ipld.car')
    const { cid } = ok(await api.get('com.atproto.repo.getRecord', { repo: account.did, collection: COLLECTION, rkey: 'k0001' })).body
    const claim = { collection: COLLECTION, rkey: 'k0001', cid: CID.parse(cid) }
    assert.equal((await verifyProofs(found.bytes, [claim], account.did, key)).verified.length, 1)
    assert.equal((await verifyProofs(found.bytes, [{ ...claim, cid: null }], account.did, key)).unverified.length, 1)
    const records = await verifyRecords(found.bytes, account.did, key)
    assert.ok(records.some((record) => record.collection === COLLECTION && record.rkey === 'k0001' && record.record.i === 1))
    for (const [collection, rkey] of [[COLLECTION, 'absent'], ['aaa.example.first', 'x'], ['zzz.example.last', 'x'], [COLLECTION, 'k0001a']]) {
      const absent = ok(await proof(account.did, collection, rkey))
      const claims = [{ collection, rkey, cid: null }]
      assert.equal((await verifyProofs(absent.bytes, claims, account.did, key)).verified.length, 1, `${collection}/${rkey}`)
      assert.equal((await openCar(absent.bytes)).roots[0], (await account.latest()).cid)
    }
    refused(await proof(NOBODY, COLLECTION, 'x'), 400, 'RepoNotFound')
  })

  test('getRecord: every record of a repo has a proof that verifies', async () => {
    const account = await filled(45)
    const key = await signingKey(account.did)
    for (const collection of ['com.example.a', COLLECTION, 'com.example.z']) {
      for (const { uri, cid } of ok(await api.get('com.atproto.repo.listRecords', { repo: account.did, collection, limit: 100 })).body.records) {
        const claims = [{ collection, rkey: rkeyOf(uri), cid: CID.parse(cid) }]
        assert.equal((await verifyProofs(ok(await proof(account.did, collection, rkeyOf(uri))).bytes, claims, account.did, key)).verified.length, 1)
      }
    }
  })

  test('getLatestCommit, getHead, getRepoStatus agree', async () => {
    const account = await filled(3)
    const latest = await account.latest()
    assert.deepEqual(Object.keys(latest).sort(), ['cid', 'rev'])
    assert.equal(ok(await api.get('com.atproto.sync.getHead', { did: account.did })).body.root, latest.cid)
    assert.deepEqual(ok(await api.get('com.atproto.sync.getRepoStatus', { did: account.did })).body, { did: account.did, active: true, rev: latest.rev })
    const checkout = ok(await api.get('com.atproto.sync.getCheckout', { did: account.did }))
    assert.equal((await openCar(checkout.bytes)).roots[0], latest.cid)
    for (const nsid of ['getLatestCommit', 'getRepoStatus', 'getRepo', 'listBlobs', 'getCheckout']) {
      refused(await api.get(`com.atproto.sync.${nsid}`, { did: NOBODY }), 400, 'RepoNotFound', new RegExp(NOBODY))
    }
    assert.equal((await api.get('com.atproto.sync.getHead', { did: NOBODY })).status, 400)
  })

  test('getBlocks', async () => {
    const [account, other] = [await filled(6), await filled(6)]
    const { blocks } = await openCar(ok(await getRepo(account.did)).bytes)
    const cids = [...blocks.keys()]
    const reply = ok(await api.get('com.atproto.sync.getBlocks', { did: account.did, cids }))
    assert.equal(reply.header('content-type'), 'application/vnd.ipld.car')
    const opened = await openCar(reply.bytes)
    assert.deepEqual([...opened.blocks.keys()].toSorted(), cids.toSorted())
    assert.deepEqual(opened.roots, [])
    const missing = 'bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454'
    refused(await api.get('com.atproto.sync.getBlocks', { did: account.did, cids: [cids[0], missing] }), 400, undefined, /Could not find cids: bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454/)
    const { cid } = await account.latest()
    refused(await api.get('com.atproto.sync.getBlocks', { did: other.did, cids: [cid] }), 400)
    refused(await api.get('com.atproto.sync.getBlocks', { did: account.did, cids: ['nope'] }), 400, 'InvalidRequest')
    refused(await api.get('com.atproto.sync.getBlocks', { did: NOBODY, cids: [cid] }), 400, 'RepoNotFound')
  })

  test('listRepos pages through every account', async () => {
    const made = [await newAccount(), await newAccount(), await newAccount()]
    ok(await made[1].api.post('com.atproto.server.deactivateAccount', {}))
    const seen = new Map()
    let cursor
    do {
      const { body } = ok(await api.get('com.atproto.sync.listRepos', { limit: 2, cursor }))
      assert.ok(body.repos.length <= 2)
      for (const repo of body.repos) {
        assert.ok(!seen.has(repo.did), 'no account twice')
        seen.set(repo.did, repo)
      }
      cursor = body.cursor
    } while (cursor !== undefined)
    for (const account of [made[0], made[2]]) {
      const { cid, rev } = await account.latest()
      assert.deepEqual(seen.get(account.did), { did: account.did, head: cid, rev, active: true })
    }
    assert.equal(seen.get(made[1].did).active, false)
    assert.equal(seen.get(made[1].did).status, 'deactivated')
    for (const limit of [0, 1001, 'x']) refused(await api.get('com.atproto.sync.listRepos', { limit }), 400, 'InvalidRequest')
  })

  test('exports are whole while writes go on', async () => {
    const account = await filled(100)
    const key = await signingKey(account.did)
    let writing = true
    const writer = (async () => {
      for (let i = 0; writing; i += 1) ok(await account.put(COLLECTION, `w${i % 7}`, { i }))
    })()
    try {
      for (let i = 0; i < 8; i += 1) {
        const { bytes } = ok(await getRepo(account.did))
        const verified = await verifyRepoCar(bytes, account.did, key)
        assert.ok(verified.creates.length >= 100)
      }
    } finally {
      writing = false
      await writer
    }
  })

  test(`gzip is served when asked for (${kind})`, async () => {
    const account = await filled(60)
    const plain = ok(await getRepo(account.did, {}, { headers: { 'accept-encoding': 'identity' } }))
    const zipped = ok(await getRepo(account.did, {}, { headers: { 'accept-encoding': 'gzip' } }))
    assert.deepEqual(zipped.bytes, plain.bytes)
  })
})
