// Blobs: upload, service, listing, life and end.
import { test, describe } from 'node:test'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'
import { admin, api, blobLimit, differ, newAccount, ok, png, POST, post, PROFILE, refused } from '../lib/under-test.mjs'
import { until } from '../lib/wait.mjs'

const COLLECTION = 'com.example.thing'
const cidOf = async (bytes) => CID.createV1(0x55, await sha256.digest(bytes)).toString()
const some = (size = 100) => new Uint8Array(randomBytes(size))
const getBlob = (account, cid, options) => api.get('com.atproto.sync.getBlob', { did: account.did, cid }, options)
const listBlobs = async (account, more = {}) => ok(await api.get('com.atproto.sync.listBlobs', { did: account.did, ...more })).body
const NOT_FOUND = differ('the lexicon names BlobNotFound', { reference: 'InvalidRequest', arroba: 'BlobNotFound' })

describe('blobs', () => {
  test('upload: reference by content, type sniffed over declared', async () => {
    const account = await newAccount()
    const bytes = png()
    const { blob } = ok(await account.upload(bytes, 'text/plain')).body
    assert.deepEqual(blob, { $type: 'blob', ref: { $link: await cidOf(bytes) }, mimeType: 'image/png', size: bytes.length })
    const text = Buffer.from('just text')
    assert.equal(ok(await account.upload(text, 'text/x-odd')).body.blob.mimeType, 'text/x-odd')
    assert.equal(ok(await account.upload(some(), 'application/octet-stream')).body.blob.mimeType, 'application/octet-stream')
    const same = ok(await account.upload(bytes, 'image/png')).body.blob
    assert.deepEqual(same, blob)
  })

  test('a blob is temporary until a record names it', async () => {
    const account = await newAccount()
    const bytes = some()
    const { blob } = ok(await account.upload(bytes, 'application/octet-stream')).body
    const cid = blob.ref.$link
    refused(await getBlob(account, cid), 400, NOT_FOUND)
    assert.deepEqual((await listBlobs(account)).cids, [])
    ok(await account.put(COLLECTION, 'k', { deep: [{ in: { blob } }] }))
    const reply = ok(await getBlob(account, cid))
    assert.deepEqual(reply.bytes, bytes)
    assert.deepEqual((await listBlobs(account)).cids, [cid])
  })

  test('getBlob: headers that keep content from running', async () => {
    const account = await newAccount()
    for (const type of ['text/html', 'image/svg+xml', 'application/xml']) {
      const { blob } = ok(await account.upload(Buffer.from(`<html><script>alert(1)</script>${randomBytes(4).toString('hex')}`), type)).body
      ok(await account.put(COLLECTION, 'k', { blob }))
      const reply = ok(await getBlob(account, blob.ref.$link))
      assert.equal(reply.header('content-security-policy'), "default-src 'none'; sandbox")
      assert.equal(reply.header('x-content-type-options'), 'nosniff')
      assert.match(reply.header('content-disposition'), /^attachment/)
      assert.equal(reply.header('content-length'), String(blob.size))
      assert.equal(reply.header('access-control-allow-origin'), '*')
    }
  })

  test('getBlob: HEAD and ranges', async () => {
    const account = await newAccount()
    const bytes = some(1000)
    const { blob } = ok(await account.upload(bytes, 'application/octet-stream')).body
    ok(await account.put(COLLECTION, 'k', { blob }))
    const cid = blob.ref.$link
    const head = ok(await getBlob(account, cid, { method: 'HEAD' }))
    assert.equal(head.bytes.length, 0)
    assert.equal(head.header('content-length'), '1000')
    const range = (value) => getBlob(account, cid, { headers: { range: value } })
    const rule = 'getBlob serves byte ranges (the issue, slice 3)'
    if (!differ(rule, { reference: false, arroba: true })) return
    for (const [value, from, to] of [['bytes=0-9', 0, 10], ['bytes=990-', 990, 1000], ['bytes=-5', 995, 1000], ['bytes=500-2000', 500, 1000]]) {
      const part = await range(value)
      assert.equal(part.status, 206, value)
      assert.deepEqual(part.bytes, bytes.slice(from, to))
      assert.equal(part.header('content-range'), `bytes ${from}-${to - 1}/1000`)
      assert.equal(part.header('content-security-policy'), "default-src 'none'; sandbox")
    }
    const beyond = await range('bytes=1000-')
    assert.equal(beyond.status, 416)
    assert.equal(beyond.header('content-range'), 'bytes */1000')
    for (const ignored of ['lines=1-2', 'bytes=x-y', 'bytes=5-2']) assert.equal((await range(ignored)).status, 200, ignored)
  })

  test('size limits', async () => {
    const account = await newAccount()
    const full = ok(await account.upload(some(blobLimit), 'application/octet-stream')).body.blob
    assert.equal(full.size, blobLimit)
    refused(await account.upload(some(blobLimit + 1), 'application/octet-stream'), 413)
    const bomb = gzipSync(Buffer.alloc(blobLimit * 4))
    refused(await account.api.send('com.atproto.repo.uploadBlob', bomb, 'application/octet-stream', { headers: { 'content-encoding': 'gzip' } }), 413)
    const packed = gzipSync(Buffer.from('packed'))
    const { blob } = ok(await account.api.send('com.atproto.repo.uploadBlob', packed, 'text/plain', { headers: { 'content-encoding': 'gzip' } })).body
    assert.equal(blob.ref.$link, await cidOf(Buffer.from('packed')))
    async function* endless() {
      for (let i = 0; i < 100; i += 1) yield new Uint8Array(100_000)
    }
    const streamed = await account.api.send('com.atproto.repo.uploadBlob', endless(), 'application/octet-stream').catch((error) => error)
    assert.ok(streamed instanceof Error || streamed.status === 413, `${streamed.status} ${streamed.text}`)
    ok(await account.upload(new Uint8Array(0), 'text/plain'))
    refused(await api.send('com.atproto.repo.uploadBlob', some(), 'text/plain'), 401, 'AuthMissing')
  })

  test('a record must name its blob as it was stored', async () => {
    const account = await newAccount()
    const { blob } = ok(await account.upload(some(), 'application/octet-stream')).body
    const before = await account.latest()
    refused(await account.put(COLLECTION, 'k', { blob: { ...blob, mimeType: 'image/png' } }), 400, 'InvalidMimeType')
    refused(await account.put(COLLECTION, 'k', { blob: { ...blob, size: 1 } }), 400, 'InvalidSize')
    const missing = await cidOf(some())
    refused(await account.put(COLLECTION, 'k', { blob: { ...blob, ref: { $link: missing } } }), 400, 'BlobNotFound', `Could not find blob: ${missing}`)
    const image = { $type: PROFILE, avatar: { ...blob } }
    refused(await account.put(PROFILE, 'self', image), 400, 'InvalidRequest', /Invalid app.bsky.actor.profile record/)
    assert.deepEqual(await account.latest(), before)
    const other = await newAccount()
    refused(await other.put(COLLECTION, 'k', { blob }), 400, 'BlobNotFound')
  })

  test('the last reference that goes takes the blob with it', async () => {
    const account = await newAccount()
    const bytes = some()
    const { blob } = ok(await account.upload(bytes, 'application/octet-stream')).body
    const cid = blob.ref.$link
    ok(await account.put(COLLECTION, 'a', { blob }))
    ok(await account.put(COLLECTION, 'b', { blob }))
    ok(await account.delete(COLLECTION, 'a'))
    ok(await getBlob(account, cid))
    ok(await account.put(COLLECTION, 'b', { blob, changed: true }))
    ok(await getBlob(account, cid))
    ok(await account.put(COLLECTION, 'b', { none: true }))
    await until('the blob is gone', async () => (await getBlob(account, cid)).status === 400)
    assert.deepEqual((await listBlobs(account)).cids, [])
    refused(await account.put(COLLECTION, 'c', { blob }), 400, 'BlobNotFound')
    ok(await account.upload(bytes, 'application/octet-stream'))
    ok(await account.put(COLLECTION, 'c', { blob }))
    assert.deepEqual(ok(await getBlob(account, cid)).bytes, bytes)
  })

  test('two accounts, one content: each has its own', async () => {
    const [alice, bob] = [await newAccount(), await newAccount()]
    const bytes = some()
    const { blob } = ok(await alice.upload(bytes, 'application/octet-stream')).body
    ok(await bob.upload(bytes, 'application/octet-stream'))
    ok(await alice.put(COLLECTION, 'k', { blob }))
    refused(await getBlob(bob, blob.ref.$link), 400, NOT_FOUND)
    ok(await bob.put(COLLECTION, 'k', { blob }))
    ok(await alice.delete(COLLECTION, 'k'))
    await until('the first is gone', async () => (await getBlob(alice, blob.ref.$link)).status === 400)
    assert.deepEqual(ok(await getBlob(bob, blob.ref.$link)).bytes, bytes)
  })

  test('listBlobs: paging, since', async () => {
    const account = await newAccount()
    const cids = []
    let middle
    for (let i = 0; i < 7; i += 1) {
      const { blob } = ok(await account.upload(some(), 'application/octet-stream')).body
      cids.push(blob.ref.$link)
      const { commit } = ok(await account.put(COLLECTION, `k${i}`, { blob })).body
      if (i === 3) middle = commit.rev
    }
    const seen = []
    let cursor
    do {
      const page = await listBlobs(account, { limit: 3, cursor })
      seen.push(...page.cids)
      cursor = page.cursor
    } while (cursor !== undefined)
    assert.deepEqual(seen.toSorted(), cids.toSorted(), 'each once; the order is the server’s own, as cursors are opaque')
    assert.deepEqual((await listBlobs(account, { since: middle })).cids.toSorted(), cids.slice(4).toSorted())
    for (const limit of [0, 1001]) refused(await api.get('com.atproto.sync.listBlobs', { did: account.did, limit }), 400, 'InvalidRequest')
  })

  test('a post with an image', async () => {
    const account = await newAccount()
    const { blob } = ok(await account.upload(png(), 'image/png')).body
    const embed = { $type: 'app.bsky.embed.images', images: [{ alt: 'a dot', image: blob }] }
    const made = ok(await account.create(POST, post('look', { embed }))).body
    assert.equal(made.validationStatus, 'valid')
    assert.deepEqual(ok(await account.api.get('com.atproto.repo.listMissingBlobs')).body.blobs, [])
  })

  test('takedown of a blob', async () => {
    const account = await newAccount()
    const bytes = some()
    const { blob } = ok(await account.upload(bytes, 'application/octet-stream')).body
    ok(await account.put(COLLECTION, 'k', { blob }))
    const subject = { $type: 'com.atproto.admin.defs#repoBlobRef', did: account.did, cid: blob.ref.$link }
    ok(await admin.post('com.atproto.admin.updateSubjectStatus', { subject, takedown: { applied: true, ref: '1' } }))
    refused(await getBlob(account, blob.ref.$link), 400, NOT_FOUND)
    refused(await account.upload(bytes, 'application/octet-stream'), 400, undefined, /takendown|taken down/i)
    const status = ok(await admin.get('com.atproto.admin.getSubjectStatus', { did: account.did, blob: blob.ref.$link })).body
    assert.equal(status.takedown.applied, true)
    refused(await account.put(COLLECTION, 'again', { blob }), 400, 'BlobNotFound')
    ok(await admin.post('com.atproto.admin.updateSubjectStatus', { subject, takedown: { applied: false } }))
    assert.deepEqual(ok(await getBlob(account, blob.ref.$link)).bytes, bytes)
  })
})
