// Real clients do what applications do: @atproto/api, @atproto/repo and the atproto package of PyPI.
//   node clients/run.mjs --kind reference|arroba [--binary PATH]
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { AtpAgent, RichText } from '@atproto/api'
import { verifyProofs, verifyRecords, verifyRepoCar } from '@atproto/repo'
import { Firehose, MemoryRunner } from '@atproto/sync'
import { IdResolver } from '@atproto/identity'
import { CID } from 'multiformats/cid'
import { Checks } from '../lib/checks.mjs'
import { Subscriber } from '../lib/firehose.mjs'
import { e2eRoot, Pds, startPlc, temporaryFolder, tools } from '../lib/servers.mjs'
import { until } from '../lib/wait.mjs'

const { values } = parseArgs({ options: { kind: { type: 'string' }, binary: { type: 'string' } } })
const folder = temporaryFolder('clients')
const plc = await startPlc(folder)
const pds = await Pds.start({ kind: values.kind, binary: values.binary, folder, plcUrl: plc.url })
let requests = 0
const counted = (input, init) => {
  requests += 1
  return fetch(input, init)
}

// Its own fetch refuses loopback, as it should; here everything is there.
const identities = new IdResolver({ plcUrl: plc.url, fetch: counted })

const checks = new Checks(`clients-on-${values.kind}`)
const passed = await checks.run(async () => {
  const saved = []
  const agent = new AtpAgent({ service: pds.url, fetch: counted, persistSession: (event, session) => saved.push([event, session]) })
  const password = 'correct-horse'
  let post

  await checks.step('@atproto/api: create an account', async () => {
    const { data } = await agent.createAccount({ handle: 'alice.test', email: 'alice@example.com', password })
    assert.equal(agent.session.did, data.did)
    assert.equal(agent.session.handle, 'alice.test')
    assert.equal((await agent.com.atproto.server.getSession()).data.email, 'alice@example.com')
    assert.equal((await agent.resolveHandle({ handle: 'alice.test' })).data.did, data.did)
  })

  await checks.step('@atproto/api: post, like, repost, follow, profile', async () => {
    const text = new RichText({ text: 'Hello https://example.com from @alice.test #test' })
    await text.detectFacets(agent)
    post = await agent.post({ text: text.text, facets: text.facets, langs: ['en'] })
    const reply = await agent.post({ text: 'a reply', reply: { root: post, parent: post } })
    const like = await agent.like(post.uri, post.cid)
    await agent.repost(post.uri, post.cid)
    const follow = await agent.follow(agent.session.did)
    await agent.upsertProfile((profile) => ({ ...profile, displayName: 'Alice', description: 'of the tests' }))
    await agent.upsertProfile((profile) => ({ ...profile, displayName: 'Alice again' }))
    const profile = await agent.com.atproto.repo.getRecord({ repo: agent.session.did, collection: 'app.bsky.actor.profile', rkey: 'self' })
    assert.deepEqual([profile.data.value.displayName, profile.data.value.description], ['Alice again', 'of the tests'])
    await agent.deleteLike(like.uri)
    await agent.deleteFollow(follow.uri)
    await agent.deletePost(reply.uri)
    await assert.rejects(agent.getPost({ repo: agent.session.did, rkey: reply.uri.split('/').pop() }), /Could not locate record/)
    assert.deepEqual((await agent.getPost({ repo: agent.session.did, rkey: post.uri.split('/').pop() })).value.text, text.text)
  })

  await checks.step('@atproto/api: upload an image and post it', async () => {
    const image = Uint8Array.from(Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64'))
    const { data } = await agent.uploadBlob(image, { encoding: 'image/png' })
    assert.equal(data.blob.mimeType, 'image/png')
    const made = await agent.post({ text: 'an image', embed: { $type: 'app.bsky.embed.images', images: [{ alt: 'a dot', image: data.blob }] } })
    const cid = data.blob.ref.toString()
    const read = await agent.com.atproto.sync.getBlob({ did: agent.session.did, cid })
    assert.deepEqual(new Uint8Array(read.data), image)
    assert.deepEqual((await agent.com.atproto.sync.listBlobs({ did: agent.session.did })).data.cids, [cid])
    assert.equal((await agent.getPost({ repo: agent.session.did, rkey: made.uri.split('/').pop() })).value.embed.images[0].image.ref.toString(), cid)
  })

  await checks.step('@atproto/api: page through listRecords', async () => {
    for (let i = 0; i < 23; i += 1) await agent.post({ text: `number ${i}` })
    const seen = []
    let cursor
    do {
      const { data } = await agent.com.atproto.repo.listRecords({ repo: 'alice.test', collection: 'app.bsky.feed.post', limit: 10, cursor })
      seen.push(...data.records.map((record) => record.uri))
      cursor = data.cursor
    } while (cursor)
    assert.equal(seen.length, 25)
    assert.equal(new Set(seen).size, 25)
    assert.deepEqual(seen, seen.toSorted().toReversed())
  })

  await checks.step('@atproto/api: a batch', async () => {
    const writes = Array.from({ length: 50 }, (_, i) => ({ $type: 'com.atproto.repo.applyWrites#create', collection: 'com.example.thing', rkey: `k${i}`, value: { i } }))
    const { data } = await agent.com.atproto.repo.applyWrites({ repo: agent.session.did, writes })
    assert.equal(data.results.length, 50)
  })

  await checks.step('@atproto/api: preferences', async () => {
    await agent.setAdultContentEnabled(true)
    await agent.addSavedFeeds([{ type: 'timeline', value: 'following', pinned: true }])
    const preferences = await agent.getPreferences()
    assert.equal(preferences.moderationPrefs.adultContentEnabled, true)
    assert.ok(preferences.savedFeeds.some((feed) => feed.value === 'following'))
  })

  await checks.step('@atproto/api: log in, refresh, resume, log out', async () => {
    const other = new AtpAgent({ service: pds.url, fetch: counted })
    await other.login({ identifier: 'alice@example.com', password })
    const before = { ...other.session }
    await other.sessionManager.refreshSession()
    assert.notEqual(other.session.refreshJwt, before.refreshJwt)
    const resumed = new AtpAgent({ service: pds.url, fetch: counted })
    await resumed.resumeSession(other.session)
    assert.equal(resumed.session.did, agent.session.did)
    await resumed.logout()
    await assert.rejects(new AtpAgent({ service: pds.url, fetch: counted }).login({ identifier: 'alice.test', password: 'wrong' }), /Invalid identifier or password/)
  })

  await checks.step('@atproto/repo: the export and the proofs verify', async () => {
    const did = agent.session.did
    const { signingKey: signing, pds: home } = await identities.did.resolveAtprotoData(did)
    assert.equal(home, pds.url)
    const { data: car } = await agent.com.atproto.sync.getRepo({ did })
    const repo = await verifyRepoCar(new Uint8Array(car), did, signing)
    assert.ok(repo.creates.length >= 70)
    let proven = 0
    for (const { collection, rkey, cid } of repo.creates) {
      const { data: proof } = await agent.com.atproto.sync.getRecord({ did, collection, rkey })
      const claims = [{ collection, rkey, cid: CID.parse(cid.toString()) }]
      assert.equal((await verifyProofs(new Uint8Array(proof), claims, did, signing)).verified.length, 1)
      assert.ok((await verifyRecords(new Uint8Array(proof), did, signing)).length >= 1)
      proven += 1
    }
    const { data: absent } = await agent.com.atproto.sync.getRecord({ did, collection: 'com.example.thing', rkey: 'absent' })
    assert.equal((await verifyProofs(new Uint8Array(absent), [{ collection: 'com.example.thing', rkey: 'absent', cid: null }], did, signing)).verified.length, 1)
    console.log(`     ${proven} proofs of presence, 1 of absence`)
  })

  const tail = await new Subscriber(pds.url, 0).opened()
  const head = (await agent.com.atproto.sync.getLatestCommit({ did: agent.session.did })).data.rev
  await tail.untilSeen('the newest commit', () => tail.frames.some((frame) => frame.body.rev === head))
  tail.close()
  const newest = Math.max(...tail.frames.map((frame) => frame.body.seq))

  await checks.step('@atproto/sync: follow the firehose, authenticated', async () => {
    const errors = []
    const events = []
    const runner = new MemoryRunner({ startCursor: 0 })
    const firehose = new Firehose({
      service: pds.url.replace('http', 'ws'),
      runner,
      idResolver: identities,
      handleEvent: (event) => void events.push(event),
      onError: (error) => void errors.push(error),
      unauthenticatedHandles: true,
    })
    firehose.start()
    await until('all events', () => runner.getCursor() >= newest || errors.length > 0, { within: 30_000 })
    await firehose.destroy()
    assert.deepEqual(errors, [])
    const kinds = {}
    for (const { event } of events) kinds[event] = (kinds[event] ?? 0) + 1
    assert.ok(kinds.create >= 75 && kinds.update >= 1 && kinds.delete >= 3 && kinds.identity && kinds.account && kinds.sync, JSON.stringify(kinds))
    console.log(`     ${JSON.stringify(kinds)}`)
  })

  await checks.step('atproto (PyPI): decode every frame', async () => {
    const { stdout } = await promisify(execFile)(join(tools, 'venv/bin/python'), ['-W', 'ignore', join(e2eRoot, 'clients/firehose.py'), pds.url, '0', String(newest)])
    const report = JSON.parse(stdout)
    console.log(`     ${stdout.trim()}`)
    assert.deepEqual(report.problems, [])
    assert.equal(report.seq, newest)
    const frames = Object.values(report.kinds).reduce((a, b) => a + b, 0)
    assert.equal(frames, tail.frames.length)
    assert.ok(report.records >= 75)
  })

  assert.ok(saved.length > 0)
})

console.log(`clients-on-${values.kind}: ${requests} requests by the npm clients`)
if (process.env.E2E_KEEP) console.log(`kept: ${folder}`)
await pds.stop().catch((error) => console.error(String(error)))
await plc.end()
process.exit(passed ? 0 : 1)
