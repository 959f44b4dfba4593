// importRepo and repos that were built to break a server: each is refused by name, in bounded time, and leaves nothing behind.
import { test, describe } from 'node:test'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { P256Keypair, Secp256k1Keypair } from '@atproto/crypto'
import { createServiceJwt } from '@atproto/xrpc-server'
import * as plc from '@did-plc/lib'
import { CID } from 'multiformats/cid'
import { create as digest } from 'multiformats/hashes/digest'
import { Account, api, base, differ, freshName, kind, newAccount, ok, plcUrl, POST, post } from '../lib/under-test.mjs'
import { encodeBlock } from '../lib/frames.mjs'

const { Client: Directory } = plc.Client ? plc : plc.default
const cidOf = (bytes, codec = 0x71) => CID.createV1(codec, digest(0x12, createHash('sha256').update(bytes).digest()))

function varint(n) {
  const out = []
  for (let value = BigInt(n); ; value >>= 7n) {
    const byte = Number(value & 0x7fn)
    if (value < 0x80n) return Buffer.from([...out, byte])
    out.push(byte | 0x80)
  }
}
const section = (bytes) => Buffer.concat([varint(bytes.length), bytes])

class Blocks {
  constructor() {
    this.map = new Map()
  }
  add(value) {
    const bytes = encodeBlock(value)
    const cid = cidOf(bytes)
    this.map.set(cid.toString(), [cid, Buffer.from(bytes)])
    return cid
  }
  car(root) {
    const parts = [section(Buffer.from(encodeBlock({ roots: [root], version: 1 })))]
    for (const [cid, bytes] of this.map.values()) parts.push(section(Buffer.concat([Buffer.from(cid.bytes), bytes])))
    return new Uint8Array(Buffer.concat(parts))
  }
}

/** Leading zero bits of the key's hash, in pairs: the layer where the key belongs. */
function layerOf(key) {
  let zeros = 0
  for (const byte of createHash('sha256').update(key).digest()) {
    if (byte === 0) {
      zeros += 4
      continue
    }
    zeros += byte < 4 ? 3 : byte < 16 ? 2 : byte < 64 ? 1 : 0
    break
  }
  return zeros
}

/** `count` keys of one layer, sorted. */
function keysOf(layer, count, collection = 'com.example.thing') {
  const keys = []
  for (let i = 0; keys.length < count; i += 1) {
    const key = `${collection}/k${String(i).padStart(6, '0')}`
    if (layerOf(key) === layer) keys.push(key)
  }
  return keys
}

function entries(keys, value, rights = []) {
  let before = ''
  return keys.map((key, i) => {
    let p = 0
    while (p < before.length && before[p] === key[p]) p += 1
    before = key
    return { p, k: Buffer.from(key.slice(p)), v: value(key), t: rights[i] ?? null }
  })
}

const nextTid = () => {
  const alphabet = '234567abcdefghijklmnopqrstuvwxyz'
  let value = BigInt(Date.now()) * 1000n * 1024n
  let text = ''
  for (let i = 0; i < 13; i += 1) {
    text = alphabet[Number(value & 31n)] + text
    value >>= 5n
  }
  return text
}

/** Someone whose account waits here for its repo. */
async function waiting() {
  const [signing, rotation] = [await Secp256k1Keypair.create(), await Secp256k1Keypair.create()]
  const handle = `${freshName()}.test`
  const did = await new Directory(plcUrl).createDid({ signingKey: signing.did(), rotationKeys: [rotation.did()], handle, pds: 'http://localhost:1', signer: rotation })
  const aud = ok(await api.get('com.atproto.server.describeServer')).body.did
  const token = await createServiceJwt({ iss: did, aud, lxm: 'com.atproto.server.createAccount', keypair: signing })
  const made = ok(await api.as(token).post('com.atproto.server.createAccount', { did, handle, email: `${handle}@example.com`, password: 'correct-horse' })).body
  return { did, signing, account: new Account(made) }
}

async function commit(who, blocks, data, more = {}) {
  const unsigned = { did: who.did, version: 3, rev: nextTid(), prev: null, data, ...more }
  const sig = await who.signing.sign(encodeBlock(unsigned))
  return blocks.car(blocks.add({ ...unsigned, sig: Buffer.from(sig) }))
}

const importRepo = (who, car) => who.account.api.send('com.atproto.repo.importRepo', car, 'application/vnd.ipld.car', { signal: AbortSignal.timeout(20_000) })

/** What a repo holds besides its tree: one record for every key. */
const record = (blocks, more = {}) => (key) => blocks.add({ $type: key.split('/')[0], key, ...more })

const hostile = {
  'keys out of order': (blocks) => {
    const list = entries(keysOf(0, 3), record(blocks))
    const [first, second] = keysOf(0, 2)
    list[0] = { ...list[0], k: Buffer.from(second) }
    list[1] = { p: 0, k: Buffer.from(first), v: list[1].v, t: null }
    return blocks.add({ l: null, e: list.slice(0, 2) })
  },
  'one key twice': (blocks) => {
    const [key] = keysOf(0, 1)
    const v = record(blocks)(key)
    return blocks.add({ l: null, e: [{ p: 0, k: Buffer.from(key), v, t: null }, { p: key.length, k: Buffer.alloc(0), v, t: null }] })
  },
  'a key in the wrong layer': (blocks) => {
    const keys = [...keysOf(0, 1), ...keysOf(1, 1)].toSorted()
    return blocks.add({ l: null, e: entries(keys, record(blocks)) })
  },
  'a prefix that could be longer': (blocks) => {
    const keys = keysOf(0, 2)
    const list = entries(keys, record(blocks))
    list[1] = { ...list[1], p: 0, k: Buffer.from(keys[1]) }
    return blocks.add({ l: null, e: list })
  },
  'a prefix longer than the key before': (blocks) => {
    const list = entries(keysOf(0, 2), record(blocks))
    list[1] = { ...list[1], p: 500 }
    return blocks.add({ l: null, e: list })
  },
  'a subtree outside its bounds': (blocks) => {
    const [high] = keysOf(1, 1)
    const low = keysOf(0, 40).filter((key) => key < high)
    assert.ok(low.length > 0)
    const child = blocks.add({ l: null, e: entries(low, record(blocks)) })
    return blocks.add({ l: null, e: entries([high], record(blocks), [child]) })
  },
  'an empty root above the tree': (blocks) => blocks.add({ l: blocks.add({ l: null, e: entries(keysOf(0, 2), record(blocks)) }), e: [] }),
  'a chain of 3,000 empty nodes': (blocks) => {
    let node = blocks.add({ l: null, e: entries(keysOf(0, 1), record(blocks)) })
    for (let i = 0; i < 3000; i += 1) node = blocks.add({ l: node, e: [] })
    return node
  },
  'shared subtrees, doubling 30 times': (blocks) => {
    let node = blocks.add({ l: null, e: entries(keysOf(0, 1), record(blocks)) })
    const [key] = keysOf(1, 1)
    for (let i = 0; i < 30; i += 1) node = blocks.add({ l: node, e: [{ p: 0, k: Buffer.from(key), v: record(blocks)(key), t: node }] })
    return node
  },
  'a node of 2,000 entries': (blocks) => blocks.add({ l: null, e: entries(keysOf(0, 2000), record(blocks)) }),
  'a key that is no path': (blocks) => blocks.add({ l: null, e: [{ p: 0, k: Buffer.from(keysOf(0, 1)[0].replace('/', '!')), v: record(blocks)('x.y/z'), t: null }] }),
  'a key that is no UTF-8': (blocks) => blocks.add({ l: null, e: [{ p: 0, k: Buffer.from([0xff, 0xfe, 0x2f, 0x61]), v: record(blocks)('x.y/z'), t: null }] }),
  'a key of 1,025 bytes': (blocks) => blocks.add({ l: null, e: [{ p: 0, k: Buffer.from(`com.example.thing/${'x'.repeat(1100)}`), v: record(blocks)('x.y/z'), t: null }] }),
  'a node with an unknown field': (blocks) => blocks.add({ l: null, e: entries(keysOf(0, 1), record(blocks)), x: 1 }),
  'a node that is a list': (blocks) => blocks.add([1, 2, 3]),
  'a record that is missing': (blocks) => blocks.add({ l: null, e: entries(keysOf(0, 1), () => cidOf(Buffer.from(freshName()))) }),
  'a subtree that is missing': (blocks) => blocks.add({ l: cidOf(Buffer.from(freshName())), e: entries(keysOf(1, 1), record(blocks)) }),
  'a record that is no map': (blocks) => blocks.add({ l: null, e: entries(keysOf(0, 1), () => blocks.add('just text')) }),
  'a record of over a million bytes': (blocks) => blocks.add({ l: null, e: entries(keysOf(0, 1), record(blocks, { text: 'x'.repeat(1_100_000) })) }),
}

describe('hostile imports', () => {
  test('trees', async () => {
    const rule = 'imports are verified in full: layers, order, bounds, prefixes, widths, records (pitfalls, security 3 to 4b); the reference takes many of these'
    const must = differ(rule, { reference: false, arroba: true })
    const who = await waiting()
    const status = async () => ok(await who.account.api.get('com.atproto.server.checkAccountStatus')).body
    const before = await status()
    for (const [name, build] of Object.entries(hostile)) {
      if (!must && /chain|doubling/.test(name)) continue
      const blocks = new Blocks()
      const reply = await importRepo(must ? who : await waiting(), await commit(who, blocks, build(blocks)))
      if (!must) continue
      assert.ok(reply.status >= 400 && reply.status < 500, `${name}: ${reply.status} ${reply.text.slice(0, 300)}`)
      assert.equal(typeof reply.error, 'string', name)
    }
    if (must) assert.deepEqual(await status(), before)
    const blocks = new Blocks()
    const upper = keysOf(1, 1)
    const lower = keysOf(0, 40)
    const left = blocks.add({ l: null, e: entries(lower.filter((key) => key < upper[0]), record(blocks)) })
    const right = blocks.add({ l: null, e: entries(lower.filter((key) => key > upper[0]), record(blocks)) })
    const good = blocks.add({ l: left, e: entries(upper, record(blocks), [right]) })
    ok(await importRepo(who, await commit(who, blocks, good)))
    assert.equal((await status()).indexedRecords, 41)
  })

  test('commits', async () => {
    const rule = 'an import that a later step could not publish or continue is refused (pitfalls, security 4b)'
    if (!differ(rule, { reference: false, arroba: true })) return
    const who = await waiting()
    const tree = (blocks) => blocks.add({ l: null, e: entries(keysOf(0, 3), record(blocks)) })
    const bad = {
      'another DID': { did: 'did:plc:ewvi7nxzyoun6zhxrhs64oiz' },
      'version 1': { version: 1 },
      'a rev that is no TID': { rev: 'tomorrow' },
      'a rev far in the future': { rev: 'bzzzzzzzzzzzz' },
      'no tree': { data: null },
      'a tree that is text': { data: 'x' },
      'a surplus field of 3 MB': { padding: 'x'.repeat(3_000_000) },
    }
    for (const [name, more] of Object.entries(bad)) {
      const blocks = new Blocks()
      const data = tree(blocks)
      const reply = await importRepo(who, await commit(who, blocks, data, more))
      assert.ok(reply.status >= 400 && reply.status < 500, `${name}: ${reply.status} ${reply.text.slice(0, 300)}`)
    }
    assert.equal(ok(await who.account.api.get('com.atproto.server.checkAccountStatus')).body.indexedRecords, 0)
  })

  test('CAR framing', async () => {
    const account = await newAccount()
    const who = { account }
    const header = section(Buffer.from(encodeBlock({ roots: [cidOf(Buffer.from('x'))], version: 1 })))
    const files = {
      'a section of 2^60 bytes': Buffer.concat([header, varint(2n ** 60n), Buffer.alloc(100)]),
      'a varint without end': Buffer.concat([header, Buffer.alloc(100, 0xff)]),
      'a header of 2^40 bytes': Buffer.concat([varint(2n ** 40n), Buffer.alloc(100)]),
      'a header of nested lists': section(Buffer.concat([Buffer.alloc(5000, 0x81), Buffer.from([0x80])])),
      'a header that promises a huge list': section(Buffer.from('a265726f6f74739b00ffffffffffffff', 'hex')),
      'sections of no bytes': Buffer.concat([header, Buffer.alloc(100_000)]),
      'an identity CID': Buffer.concat([header, section(Buffer.from('01710003616263616263', 'hex'))]),
      'CAR version 2': section(Buffer.from(encodeBlock({ version: 2 }))),
      'no roots': section(Buffer.from(encodeBlock({ roots: [], version: 1 }))),
      'a block that does not hash to its CID': Buffer.concat([header, section(Buffer.concat([Buffer.from(cidOf(Buffer.from('a')).bytes), Buffer.from('b')]))]),
    }
    const highest = differ('a hostile CAR is a named 4xx, never a 5xx (the issue, bad input)', { reference: 599, arroba: 499 })
    const before = await account.latest()
    for (const [name, bytes] of Object.entries(files)) {
      const reply = await importRepo(who, new Uint8Array(bytes))
      assert.ok(reply.status >= 400 && reply.status <= highest, `${name}: ${reply.status} ${reply.text.slice(0, 300)}`)
    }
    assert.deepEqual(await account.latest(), before)
    ok(await account.create(POST, post('still here')))
    assert.equal((await fetch(`${base}/xrpc/_health`)).status, 200, kind)
  })
})

describe('keys and tokens of other kinds', () => {
  test('an account whose key is P-256 moves here', async () => {
    const [signing, rotation] = [await P256Keypair.create(), await Secp256k1Keypair.create()]
    const handle = `${freshName()}.test`
    const did = await new Directory(plcUrl).createDid({ signingKey: signing.did(), rotationKeys: [rotation.did()], handle, pds: 'http://localhost:1', signer: rotation })
    const aud = ok(await api.get('com.atproto.server.describeServer')).body.did
    const token = await createServiceJwt({ iss: did, aud, lxm: 'com.atproto.server.createAccount', keypair: signing })
    const made = ok(await api.as(token).post('com.atproto.server.createAccount', { did, handle, email: `${handle}@example.com`, password: 'correct-horse' })).body
    assert.equal(made.did, did)
  })

  test('a service token with a high S is taken, one with a foreign algorithm is not', async () => {
    const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
    const [signing, rotation] = [await Secp256k1Keypair.create(), await Secp256k1Keypair.create()]
    const handle = `${freshName()}.test`
    const did = await new Directory(plcUrl).createDid({ signingKey: signing.did(), rotationKeys: [rotation.did()], handle, pds: 'http://localhost:1', signer: rotation })
    const aud = ok(await api.get('com.atproto.server.describeServer')).body.did
    const token = await createServiceJwt({ iss: did, aud, lxm: 'com.atproto.server.createAccount', keypair: signing })
    const [head, body, signature] = token.split('.')
    const input = { did, handle, email: `${handle}@example.com`, password: 'correct-horse' }
    const attempt = (jwt) => api.as(jwt).post('com.atproto.server.createAccount', input)
    const other = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(head, 'base64url')), alg: 'ES256' })).toString('base64url')
    assert.equal((await attempt(`${other}.${body}.${signature}`)).status, 401)
    const short = Buffer.from(signature, 'base64url').subarray(0, 63).toString('base64url')
    assert.equal((await attempt(`${head}.${body}.${short}`)).status, 401)
    const raw = Buffer.from(signature, 'base64url')
    const high = (ORDER - BigInt(`0x${raw.subarray(32).toString('hex')}`)).toString(16).padStart(64, '0')
    const turned = Buffer.concat([raw.subarray(0, 32), Buffer.from(high, 'hex')]).toString('base64url')
    ok(await attempt(`${head}.${body}.${turned}`))
  })
})
