// Handles, administration, and moving an account here from elsewhere.
import { test, describe, after } from 'node:test'
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { Secp256k1Keypair } from '@atproto/crypto'
import * as plc from '@did-plc/lib'
import { createServiceJwt } from '@atproto/xrpc-server'
import { blocksToCarFile, MemoryBlockstore, readCarWithRoot, Repo, verifyRepoCar, WriteOpAction } from '@atproto/repo'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'
import { Account, admin, api, base, differ, freshName, newAccount, ok, plcData, plcUrl, POST, post, refused, signingKey } from '../lib/under-test.mjs'
import { decodeBlock, encodeBlock, openCar, text } from '../lib/frames.mjs'
import { Subscriber } from '../lib/firehose.mjs'
import { request } from '../lib/xrpc.mjs'
import { until } from '../lib/wait.mjs'

const COLLECTION = 'com.example.thing'
const open = []
after(() => open.forEach((subscriber) => subscriber.close()))
const subscribe = async (cursor) => {
  const subscriber = new Subscriber(base, cursor)
  open.push(subscriber)
  return subscriber.opened()
}
const serviceDid = async () => ok(await api.get('com.atproto.server.describeServer')).body.did
const lib = plc.Client ? plc : plc.default
const directory = new lib.Client(plcUrl)

/** An account that lives elsewhere: a DID in the directory, a key of its own, a repo in a CAR. */
async function stranger(writes = 10) {
  const signing = await Secp256k1Keypair.create({ exportable: true })
  const rotation = await Secp256k1Keypair.create({ exportable: true })
  const handle = `${freshName()}.test`
  const did = await directory.createDid({ signingKey: signing.did(), rotationKeys: [rotation.did()], handle, pds: 'http://localhost:1', signer: rotation })
  const storage = new MemoryBlockstore()
  let repo = await Repo.create(storage, did, signing)
  const ops = Array.from({ length: writes }, (_, i) => ({ action: WriteOpAction.Create, collection: i % 2 ? COLLECTION : POST, rkey: i % 2 ? `k${i}` : `3kabcabcabc${'234567abcdefghijklmnopqrstuvwxyz'[i % 32]}a`, record: i % 2 ? { $type: COLLECTION, i } : post(`number ${i}`) }))
  if (ops.length) repo = await repo.applyWrites(ops, signing)
  const car = await blocksToCarFile(repo.cid, storage.blocks)
  const token = async (lxm, aud, more = {}) => createServiceJwt({ iss: did, aud: aud ?? (await serviceDid()), lxm, keypair: signing, ...more })
  return { did, handle, signing, rotation, repo, storage, car, token, ops }
}

async function move(who, password = 'correct-horse') {
  const reply = await api.as(await who.token('com.atproto.server.createAccount')).post('com.atproto.server.createAccount', { did: who.did, handle: who.handle, email: `${freshName()}@example.com`, password })
  return new Account({ ...ok(reply).body, password })
}

const importRepo = (account, car) => account.api.send('com.atproto.repo.importRepo', car, 'application/vnd.ipld.car')

/** Hands the identity over: the directory names this server and the key that it made. */
async function handOver(who, account) {
  const wanted = ok(await account.api.get('com.atproto.identity.getRecommendedDidCredentials')).body
  await directory.updateData(who.did, who.rotation, (last) => ({ ...last, rotationKeys: [who.rotation.did(), ...wanted.rotationKeys], alsoKnownAs: wanted.alsoKnownAs, verificationMethods: wanted.verificationMethods, services: wanted.services }))
  return wanted
}

describe('identity', () => {
  test('updateHandle: directory, resolution, events agree', async () => {
    const account = await newAccount()
    const old = account.handle
    const handle = `${freshName()}.test`
    ok(await account.api.post('com.atproto.identity.updateHandle', { handle: handle.toUpperCase() }))
    assert.deepEqual((await plcData(account.did)).alsoKnownAs, [`at://${handle}`])
    assert.equal(ok(await api.get('com.atproto.identity.resolveHandle', { handle })).body.did, account.did)
    refused(await api.get('com.atproto.identity.resolveHandle', { handle: old }), 400, 'HandleNotFound', 'Unable to resolve handle')
    assert.equal(ok(await account.api.get('com.atproto.server.getSession')).body.handle, handle)
    const described = ok(await api.get('com.atproto.repo.describeRepo', { repo: handle })).body
    assert.equal(described.handle, handle)
    const rule = 'a handle change refreshes our own view of the DID document; the reference reads its old copy for a while (DESIGN 3, resolver with purge)'
    if (differ(rule, { reference: false, arroba: true })) assert.equal(described.handleIsCorrect, true)
    const reused = await newAccount({ handle: old })
    assert.equal(reused.handle, old)
    ok(await account.api.post('com.atproto.identity.updateHandle', { handle }))
  })

  test('updateHandle: named refusals', async () => {
    const [account, other] = [await newAccount(), await newAccount()]
    const update = (handle) => account.api.post('com.atproto.identity.updateHandle', { handle })
    refused(await update(other.handle), 400, 'HandleNotAvailable', `Handle already taken: ${other.handle}`)
    refused(await update('admin.test'), 400, 'HandleNotAvailable', 'Reserved handle')
    refused(await update('ab.test'), 400, 'InvalidHandle', /too short/i)
    refused(await update(`a.${freshName()}.test`), 400, 'InvalidHandle')
    refused(await update('somebody.invalid'), 400, 'InvalidHandle')
    refused(await update('not a handle'), 400, 'InvalidRequest')
    refused(await update(5), 400, 'InvalidRequest')
    assert.equal(ok(await account.api.get('com.atproto.server.getSession')).body.handle, account.handle)
    refused(await api.post('com.atproto.identity.updateHandle', { handle: 'x.test' }), 401, 'AuthMissing')
  })

  test('getRecommendedDidCredentials', async () => {
    const account = await newAccount()
    const wanted = ok(await account.api.get('com.atproto.identity.getRecommendedDidCredentials')).body
    const data = await plcData(account.did)
    assert.deepEqual(wanted.alsoKnownAs, data.alsoKnownAs)
    assert.deepEqual(wanted.verificationMethods, data.verificationMethods)
    assert.deepEqual(wanted.rotationKeys, data.rotationKeys)
    assert.deepEqual(wanted.services, data.services)
  })

  test('/.well-known/atproto-did answers for the Host of a hosted handle', async () => {
    const account = await newAccount()
    const ask = (headers) => request(`${base}/.well-known/atproto-did`, { headers })
    const found = ok(await ask({ 'x-forwarded-host': account.handle }).then((reply) => (reply.status === 200 ? reply : askByHost(account.handle))))
    assert.equal(found.text.trim(), account.did)
    assert.match(found.header('content-type'), /^text\/plain/)
    assert.equal((await askByHost('nobody.test')).status, 404)
    assert.equal((await askByHost('example.com')).status, 404)
  })

  test('the administrator: account info, wrong password, unknown subject', async () => {
    const account = await newAccount()
    const info = ok(await admin.get('com.atproto.admin.getAccountInfo', { did: account.did })).body
    assert.deepEqual([info.did, info.handle, info.email], [account.did, account.handle, account.email])
    assert.ok(Date.parse(info.indexedAt))
    refused(await admin.get('com.atproto.admin.getAccountInfo', { did: 'did:plc:ewvi7nxzyoun6zhxrhs64oiz' }), 400, 'NotFound')
    refused(await api.admin('wrong').get('com.atproto.admin.getAccountInfo', { did: account.did }), 401)
    refused(await api.get('com.atproto.admin.getAccountInfo', { did: account.did }), 401)
    assert.ok([400, 401, 403].includes((await account.api.get('com.atproto.admin.getAccountInfo', { did: account.did })).status))
    refused(await admin.get('com.atproto.admin.getSubjectStatus', {}), 400, 'InvalidRequest')
    refused(await admin.get('com.atproto.admin.getSubjectStatus', { did: 'did:plc:ewvi7nxzyoun6zhxrhs64oiz' }), 400, 'NotFound', 'Subject not found')
  })

  test('takedown of an account hides it on every read path', async () => {
    const account = await newAccount()
    const made = ok(await account.create(POST, post('x'))).body
    const { blob } = ok(await account.upload(Buffer.from(freshName()), 'text/plain')).body
    ok(await account.put(COLLECTION, 'k', { blob }))
    const subject = { $type: 'com.atproto.admin.defs#repoRef', did: account.did }
    const takedown = (applied) => admin.post('com.atproto.admin.updateSubjectStatus', { subject, takedown: applied ? { applied, ref: 'r' } : { applied } })
    const { body } = ok(await takedown(true))
    assert.deepEqual(body.takedown, { applied: true, ref: 'r' })
    assert.equal(ok(await admin.get('com.atproto.admin.getSubjectStatus', { did: account.did })).body.takedown.applied, true)
    const { cid } = made
    const reads = { getRepo: {}, getLatestCommit: {}, getRecord: { collection: POST, rkey: made.uri.split('/').pop() }, getBlocks: { cids: [cid] }, listBlobs: {}, getBlob: { cid: blob.ref.$link }, getCheckout: {} }
    for (const [name, params] of Object.entries(reads)) refused(await api.get(`com.atproto.sync.${name}`, { did: account.did, ...params }), 400, 'RepoTakendown')
    refused(await api.get('com.atproto.repo.describeRepo', { repo: account.did }), 400, 'RepoTakendown')
    assert.ok((await api.get('com.atproto.repo.getRecord', { repo: account.did, collection: POST, rkey: made.uri.split('/').pop() })).status >= 400)
    assert.equal((await api.get('com.atproto.repo.listRecords', { repo: account.did, collection: POST })).status, 400)
    assert.deepEqual(ok(await api.get('com.atproto.sync.getRepoStatus', { did: account.did })).body, { did: account.did, active: false, status: 'takendown' })
    ok(await admin.get('com.atproto.sync.getRepo', { did: account.did }))
    refused(await account.create(POST, post('no')), 401, 'AccountTakedown')
    refused(await account.upload(Buffer.from('no'), 'text/plain'), 401, 'AccountTakedown')
    refused(await api.post('com.atproto.server.createSession', { identifier: account.did, password: account.password }), 401, 'AccountTakedown')
    refused(await api.as(account.refreshJwt).post('com.atproto.server.refreshSession'), 401, 'AccountTakedown')
    const limited = ok(await api.post('com.atproto.server.createSession', { identifier: account.did, password: account.password, allowTakendown: true })).body
    assert.equal(limited.status, 'takendown')
    ok(await api.as(limited.accessJwt).get('com.atproto.sync.getRepo', { did: account.did }))
    assert.ok((await api.as(limited.accessJwt).post('com.atproto.repo.createRecord', { repo: account.did, collection: POST, record: post('no') })).status >= 400)
    ok(await takedown(false))
    ok(await api.get('com.atproto.sync.getRepo', { did: account.did }))
    ok(await account.create(POST, post('yes')))
  })

  test('takedown of a record hides it from the record methods; the repo keeps it', async () => {
    const account = await newAccount()
    const made = ok(await account.create(POST, post('hidden'))).body
    const rkey = made.uri.split('/').pop()
    const subject = { $type: 'com.atproto.repo.strongRef', uri: made.uri, cid: made.cid }
    const head = await account.latest()
    ok(await admin.post('com.atproto.admin.updateSubjectStatus', { subject, takedown: { applied: true, ref: 'r' } }))
    const read = await api.get('com.atproto.repo.getRecord', { repo: account.did, collection: POST, rkey })
    assert.ok(read.status >= 400 && read.status < differ('a hidden record is RecordNotFound; the reference asks its app view', { reference: 600, arroba: 500 }), read.text)
    assert.deepEqual(ok(await api.get('com.atproto.repo.listRecords', { repo: account.did, collection: POST })).body.records, [])
    assert.equal(ok(await admin.get('com.atproto.admin.getSubjectStatus', { uri: made.uri })).body.takedown.applied, true)
    const { blocks } = await openCar(ok(await api.get('com.atproto.sync.getRepo', { did: account.did })).bytes)
    assert.ok(blocks.has(made.cid))
    assert.deepEqual(await account.latest(), head)
    ok(await admin.post('com.atproto.admin.updateSubjectStatus', { subject, takedown: { applied: false } }))
    ok(await api.get('com.atproto.repo.getRecord', { repo: account.did, collection: POST, rkey }))
  })

  test('admin.deleteAccount: gone, the handle free again', async () => {
    const account = await newAccount()
    ok(await admin.post('com.atproto.admin.deleteAccount', { did: account.did }))
    refused(await api.get('com.atproto.sync.getRepo', { did: account.did }), 400, 'RepoNotFound')
    refused(await api.post('com.atproto.server.createSession', { identifier: account.did, password: account.password }), 401, 'AuthenticationRequired')
    const write = await account.create(POST, post('ghost'))
    assert.ok(write.status >= 400 && write.status < 500, write.text)
    await newAccount({ handle: account.handle, email: account.email })
  })
})

describe('migration', () => {
  test('an account moves here: create, import, blobs, hand over, activate', async () => {
    const who = await stranger()
    const content = Buffer.from(`blob of ${who.did}`)
    const cid = CID.createV1(0x55, await sha256.digest(content))
    const withBlob = { $type: COLLECTION, blob: { $type: 'blob', ref: cid, mimeType: 'text/plain', size: content.length } }
    const repo = await who.repo.applyWrites([{ action: WriteOpAction.Create, collection: COLLECTION, rkey: 'withblob', record: withBlob }], who.signing)
    const car = await blocksToCarFile(repo.cid, who.storage.blocks)

    const account = await move(who)
    assert.equal(account.did, who.did)
    let status = ok(await account.api.get('com.atproto.server.checkAccountStatus')).body
    assert.deepEqual([status.activated, status.validDid], [false, false])
    assert.equal(ok(await api.get('com.atproto.sync.getRepoStatus', { did: who.did })).body.active, false)

    ok(await importRepo(account, car))
    ok(await importRepo(account, car))
    status = ok(await account.api.get('com.atproto.server.checkAccountStatus')).body
    assert.equal(status.indexedRecords, 11)
    assert.deepEqual([status.expectedBlobs, status.importedBlobs], [1, 0])
    const missing = ok(await account.api.get('com.atproto.repo.listMissingBlobs')).body.blobs
    assert.deepEqual(missing, [{ cid: cid.toString(), recordUri: `at://${who.did}/${COLLECTION}/withblob` }])
    ok(await account.upload(content, 'text/plain'))
    assert.deepEqual(ok(await account.api.get('com.atproto.repo.listMissingBlobs')).body.blobs, [])
    assert.equal(ok(await account.api.get('com.atproto.server.checkAccountStatus')).body.importedBlobs, 1)

    const early = await account.api.post('com.atproto.server.activateAccount')
    assert.equal(early.status, 400, 'the directory does not name this server yet')
    await handOver(who, account)
    ok(await account.api.post('com.atproto.server.activateAccount'))
    status = ok(await account.api.get('com.atproto.server.checkAccountStatus')).body
    assert.deepEqual([status.activated, status.validDid], [true, true])
    const listed = ok(await api.get('com.atproto.repo.listRecords', { repo: who.did, collection: COLLECTION })).body.records
    assert.equal(listed.length, 6)
    assert.deepEqual(ok(await api.get('com.atproto.sync.getBlob', { did: who.did, cid: cid.toString() })).bytes, new Uint8Array(content))

    const rule = 'an import is signed anew with our key, so that it verifies after the hand-over (network-tools 2)'
    const resigned = differ(rule, { reference: false, arroba: true })
    const bytes = ok(await api.get('com.atproto.sync.getRepo', { did: who.did })).bytes
    const verified = verifyRepoCar(bytes, who.did, await signingKey(who.did))
    if (resigned) assert.equal((await verified).creates.length, 11)
    else await assert.rejects(verified)

    const events = await subscribe(0)
    const frames = await events.untilCount(who.did, 3)
    assert.deepEqual(frames.map((frame) => frame.type), ['#account', '#identity', '#sync'], 'nothing before activation')
    if (resigned) {
      const { blocks, roots } = await openCar(frames[2].body.blocks)
      assert.equal(decodeBlock(blocks.get(roots[0])).rev, frames[2].body.rev)
      const latest = await account.latest()
      assert.deepEqual([frames[2].body.rev, roots[0]], [latest.rev, latest.cid])
      assert.ok(latest.rev > repo.commit.rev)
    }
    const next = ok(await account.create(POST, post('first here'))).body
    await verifyRepoCar(ok(await api.get('com.atproto.sync.getRepo', { did: who.did })).bytes, who.did, await signingKey(who.did))
    const commit = (await events.untilCount(who.did, 4))[3]
    assert.equal(text(commit.body.commit), next.commit.cid)
    events.close()
  })

  test('a did:web account moves here, and no directory is asked', async () => {
    const signing = await Secp256k1Keypair.create()
    let document
    const host = createServer((question, answer) => {
      answer.setHeader('content-type', 'application/json')
      answer.statusCode = question.url === '/.well-known/did.json' ? 200 : 404
      answer.end(JSON.stringify(document))
    }).listen(0, 'localhost')
    await new Promise((resolve) => host.once('listening', resolve))
    try {
      const did = `did:web:localhost%3A${host.address().port}`
      const handle = `${freshName()}.test`
      const write = (key, endpoint) => {
        document = {
          '@context': ['https://www.w3.org/ns/did/v1'],
          id: did,
          alsoKnownAs: [`at://${handle}`],
          verificationMethod: [{ id: `${did}#atproto`, type: 'Multikey', controller: did, publicKeyMultibase: key.replace('did:key:', '') }],
          service: [{ id: '#atproto_pds', type: 'AtprotoPersonalDataServer', serviceEndpoint: endpoint }],
        }
      }
      write(signing.did(), 'http://localhost:1')
      const token = await createServiceJwt({ iss: did, aud: await serviceDid(), lxm: 'com.atproto.server.createAccount', keypair: signing })
      const made = ok(await api.as(token).post('com.atproto.server.createAccount', { did, handle, email: `${freshName()}@example.com`, password: 'correct-horse' })).body
      const account = new Account(made)
      assert.equal((await account.api.post('com.atproto.server.activateAccount')).status, 400, 'the document names another server')
      const wanted = ok(await account.api.get('com.atproto.identity.getRecommendedDidCredentials')).body
      write(wanted.verificationMethods.atproto, wanted.services.atproto_pds.endpoint)
      ok(await account.api.post('com.atproto.server.activateAccount'))
      ok(await account.create(POST, post('from the web')))
      await verifyRepoCar(ok(await api.get('com.atproto.sync.getRepo', { did })).bytes, did, wanted.verificationMethods.atproto)
    } finally {
      host.closeAllConnections()
      host.close()
    }
  })

  test('createAccount with a DID needs that DID’s own token for this method', async () => {
    const [who, other] = [await stranger(0), await stranger(0)]
    const attempt = (token, input = {}) => (token ? api.as(token) : api).post('com.atproto.server.createAccount', { did: who.did, handle: who.handle, email: `${freshName()}@example.com`, password: 'pw-pw-pw-pw', ...input })
    const lxm = 'com.atproto.server.createAccount'
    const now = Math.floor(Date.now() / 1000)
    refused(await attempt(undefined), 401, 'AuthenticationRequired')
    refused(await attempt(await other.token(lxm)), 401)
    refused(await attempt(await who.token('com.atproto.server.getSession')), 401, 'BadJwtLexiconMethod')
    refused(await attempt(await who.token(lxm, 'did:web:elsewhere.example.com')), 401, 'BadJwtAudience')
    refused(await attempt(await who.token(lxm, undefined, { iat: now - 120, exp: now - 60 })), 401, 'JwtExpired')
    const forged = await createServiceJwt({ iss: who.did, aud: await serviceDid(), lxm, keypair: other.signing })
    refused(await attempt(forged), 401, 'BadJwtSignature')
    ok(await attempt(await who.token(lxm)))
    const again = await attempt(await who.token(lxm), { handle: `${freshName()}.test` })
    assert.equal(again.status, 400, again.text)
  })

  test('importRepo refuses what it cannot stand behind, and changes nothing', async () => {
    const who = await stranger(4)
    const account = await move(who)
    const before = ok(await account.api.get('com.atproto.server.checkAccountStatus')).body
    const { root, blocks } = await readCarWithRoot(who.car)
    const without = async (victim) => {
      blocks.delete(victim)
      return blocksToCarFile(root, blocks)
    }
    const commit = decodeBlock(blocks.get(root))
    const bad = {
      garbage: [new Uint8Array([1, 2, 3]), true],
      empty: [new Uint8Array(0), true],
      truncated: [who.car.slice(0, who.car.length - 20), true],
      flipped: [flip(who.car, who.car.length - 10), true],
      'no root in the body': [await without(root), true],
      'the repo of another': [(await stranger(2)).car, differ('a CAR of another DID is refused (pitfalls 45)', { reference: false, arroba: true })],
    }
    blocks.set(root, encodeBlock(commit))
    blocks.delete(CID.parse(commit.data.toString()))
    bad['no tree root'] = [await blocksToCarFile(root, blocks), true]
    for (const [name, [car, must]] of Object.entries(bad)) {
      if (!must) continue
      const reply = await importRepo(account, car)
      const worst = differ('a hostile CAR is a named 4xx, never a 5xx (the issue, bad input)', { reference: 599, arroba: 499 })
      assert.ok(reply.status >= 400 && reply.status <= worst, `${name}: ${reply.status} ${reply.text}`)
      assert.equal(typeof reply.error, 'string', name)
    }
    refused(await account.api.send('com.atproto.repo.importRepo', who.car, 'application/json'), 400, 'InvalidRequest')
    const after = ok(await account.api.get('com.atproto.server.checkAccountStatus')).body
    assert.equal(after.indexedRecords, before.indexedRecords)
    assert.equal(after.repoCommit, before.repoCommit)
    ok(await importRepo(account, who.car))
  })

  test('importRepo over the limit is 413', async () => {
    const account = await newAccount()
    const limit = Number(process.env.E2E_IMPORT_LIMIT)
    const reply = await importRepo(account, new Uint8Array(limit + 1)).catch((error) => error)
    const rule = 'an oversize body is a named 4xx (the issue, bad input)'
    assert.ok(reply instanceof Error || reply.status === 413 || (differ(rule, { reference: true, arroba: false }) && reply.status === 400), `${reply.status} ${reply.text}`)
    ok(await account.create(POST, post('still here')))
  })

  test('service token for uploadBlob', async () => {
    const account = await newAccount()
    const { token } = ok(await account.api.get('com.atproto.server.getServiceAuth', { aud: await serviceDid(), lxm: 'com.atproto.repo.uploadBlob' })).body
    const { blob } = ok(await api.as(token).send('com.atproto.repo.uploadBlob', Buffer.from(`by token ${freshName()}`), 'text/plain')).body
    ok(await account.put(COLLECTION, 'k', { blob }))
    const wrong = ok(await account.api.get('com.atproto.server.getServiceAuth', { aud: await serviceDid(), lxm: 'com.atproto.repo.createRecord' })).body.token
    const reply = await api.as(wrong).send('com.atproto.repo.uploadBlob', Buffer.from('x'), 'text/plain')
    assert.ok([400, 401].includes(reply.status), reply.text)
    const write = await api.as(wrong).post('com.atproto.repo.createRecord', { repo: account.did, collection: POST, record: post('no') })
    assert.ok([400, 401].includes(write.status), write.text)
  })
})

function flip(bytes, at) {
  const copy = new Uint8Array(bytes)
  copy[at] ^= 1
  return copy
}

/** fetch forbids the Host header; the plain client does not. */
async function askByHost(host) {
  const { request: plain } = await import('node:http')
  const { Reply } = await import('../lib/xrpc.mjs')
  return new Promise((resolve, reject) => {
    plain(`${base}/.well-known/atproto-did`, { headers: { host } }, (response) => {
      const chunks = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.on('end', () => resolve(new Reply(response.statusCode, new Headers(response.headers), new Uint8Array(Buffer.concat(chunks)))))
    })
      .on('error', reject)
      .end()
  })
}
