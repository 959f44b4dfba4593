// The production relay (strict) and tap follow a server through every kind of change. Nothing that it emits may be refused
// or doubted, the relay's heads must be the server's heads, and tap's records the server's records.
//   node relay/follow.mjs --kind reference|arroba [--binary PATH] [--seed N]
import assert from 'node:assert/strict'
import { parseArgs } from 'node:util'
import { Secp256k1Keypair } from '@atproto/crypto'
import { blocksToCarFile, MemoryBlockstore, Repo, WriteOpAction } from '@atproto/repo'
import { createServiceJwt } from '@atproto/xrpc-server'
import * as plcModule from '@did-plc/lib'
import { Actor, ok, random } from '../lib/actor.mjs'
import { Checks } from '../lib/checks.mjs'
import { Subscriber } from '../lib/firehose.mjs'
import { Pds, startPlc, temporaryFolder } from '../lib/servers.mjs'
import { until } from '../lib/wait.mjs'
import { Client, counts } from '../lib/xrpc.mjs'
import { reconnect, refusals, Relay, Tap, tapRefusals } from './network.mjs'

const { values } = parseArgs({ options: { kind: { type: 'string' }, binary: { type: 'string' }, seed: { type: 'string', default: '20261125' } } })
const ours = values.kind === 'arroba'
const dice = random(Number(values.seed))
const COLLECTIONS = ['com.example.alpha', 'com.example.beta', 'com.example.gamma.deep', 'org.example.omega']
const { Client: Directory } = plcModule.Client ? plcModule : plcModule.default

const folder = temporaryFolder('relay')
const plc = await startPlc(folder)
const pds = await Pds.start({ kind: values.kind, binary: values.binary, folder, plcUrl: plc.url })
const api = new Client(pds.url)
const admin = api.admin(pds.adminPassword)
const relay = new Relay(folder, plc.url)
const actors = []
let named = 0
const imports = new Map()
let kills = 0
/** Up to which event the relay may ask again, and from when: its stored cursor lags. */
const repeats = []

const newActor = async (options) => {
  named += 1
  const actor = await Actor.create(pds.url, `actor${named}`, options)
  actors.push(actor)
  return actor
}

/** One batch of writes that is right for what the repo holds now. */
function batch(actor, size) {
  const known = (actor.known ??= new Map())
  const writes = []
  const touched = new Set()
  while (writes.length < size) {
    const collection = dice.pick(COLLECTIONS)
    const rkey = `k${dice.below(400)}`
    const path = `${collection}/${rkey}`
    if (touched.has(path)) continue
    touched.add(path)
    const value = { n: dice.below(1_000_000_000), text: 'x'.repeat(dice.below(200)) }
    if (!known.has(path)) {
      writes.push({ $type: 'com.atproto.repo.applyWrites#create', collection, rkey, value })
      known.set(path, value)
    } else if (dice.below(2)) {
      writes.push({ $type: 'com.atproto.repo.applyWrites#update', collection, rkey, value })
      known.set(path, value)
    } else {
      writes.push({ $type: 'com.atproto.repo.applyWrites#delete', collection, rkey })
      known.delete(path)
    }
  }
  return writes
}

async function agree(what = 'the relay has every head', within = 60_000) {
  for (const actor of actors) {
    if (actor.gone) continue
    const head = await actor.latest()
    await until(`${what}: ${actor.did}`, async () => {
      const seen = await relay.head(actor.did)
      assert.deepEqual(seen, head)
      return true
    }, { within, every: 100 })
  }
}

/** The newest sequence number, once every account's head has been seen in the stream. */
async function newestSeq() {
  const subscriber = await new Subscriber(pds.url, 0).opened()
  const heads = []
  for (const actor of actors) if (!actor.gone) heads.push((await actor.latest()).rev)
  await subscriber.untilSeen('every head', () => {
    const revs = new Set(subscriber.frames.map((frame) => frame.body.rev))
    return heads.every((rev) => revs.has(rev))
  })
  subscriber.close()
  return Math.max(...subscriber.frames.map((frame) => frame.body.seq))
}

async function mayRepeat() {
  repeats.push({ from: Date.now(), seq: await newestSeq() })
}

const checks = new Checks(`relay-on-${values.kind}`)
const passed = await checks.run(async () => {
  let tap
  await checks.step('the relay follows the server', async () => {
    await relay.start(`localhost:${pds.port}`)
    await until('the relay knows an account', async () => {
      const actor = await newActor()
      try {
        await until('this one', async () => (await relay.status(actor.did)).active === true, { within: 1500 })
        return true
      } catch {
        actors.pop()
        return false
      }
    }, { within: 30_000 })
    tap = new Tap(folder, plc.url, relay.url)
    await tap.start()
  })

  await checks.step('accounts', async () => {
    while (actors.length < 5) await newActor()
    await agree()
    await until('tap has every repo', () => actors.every((actor) => tap.repo(actor.did)?.state === 'active'), { within: 60_000, every: 200 })
  })

  await checks.step('single creates, updates and deletes', async () => {
    for (let round = 0; round < 25; round += 1) {
      const actor = dice.pick(actors)
      const [write] = batch(actor, 1)
      if (write.$type.endsWith('#delete')) await actor.delete(write.collection, write.rkey)
      else await actor.put(write.collection, write.rkey, write.value)
    }
    for (const actor of actors) await actor.create('app.bsky.feed.post', { text: 'hello', createdAt: new Date().toISOString() })
    await agree()
  })

  await checks.step('batches of 1 to 200 over four collections', async () => {
    for (const actor of actors) for (const size of [5, 200, 40, 200]) await actor.apply(batch(actor, size))
    await agree()
  })

  await checks.step('many writers at once', async () => {
    await Promise.all(actors.map(async (actor) => {
      for (let i = 0; i < 6; i += 1) await actor.apply(batch(actor, 1 + dice.below(12)))
    }))
    await agree()
  })

  await checks.step('writes that change nothing, or cancel out', async () => {
    const actor = actors[0]
    const record = { n: 1 }
    await actor.put(COLLECTIONS[0], 'same', record)
    await actor.put(COLLECTIONS[0], 'same', record)
    await actor.delete(COLLECTIONS[0], 'never-was')
    // The reference commits these; the relay cannot invert them (network-tools 1).
    if (ours) {
      await actor.apply([])
      await actor.apply([{ $type: 'com.atproto.repo.applyWrites#update', collection: COLLECTIONS[0], rkey: 'same', value: record }])
      const path = { collection: COLLECTIONS[1], rkey: 'moment' }
      await actor.apply([{ $type: 'com.atproto.repo.applyWrites#create', ...path, value: { n: 1 } }, { $type: 'com.atproto.repo.applyWrites#delete', ...path }])
      await actor.apply([{ $type: 'com.atproto.repo.applyWrites#create', ...path, value: { n: 1 } }, { $type: 'com.atproto.repo.applyWrites#update', ...path, value: { n: 2 } }])
      await actor.apply([{ $type: 'com.atproto.repo.applyWrites#delete', ...path }, { $type: 'com.atproto.repo.applyWrites#create', ...path, value: { n: 3 } }])
    }
    await actor.put(COLLECTIONS[0], 'twin-a', { twin: true })
    await actor.put(COLLECTIONS[0], 'twin-b', { twin: true })
    await actor.delete(COLLECTIONS[0], 'twin-a')
    await agree()
  })

  await checks.step('large records', async () => {
    const actor = actors[1]
    for (let i = 0; i < 3; i += 1) await actor.put(COLLECTIONS[2], 'large', { text: 'x'.repeat(900_000), i })
    await agree()
  })

  await checks.step('emptying a repo and filling it again', async () => {
    const actor = await newActor()
    await actor.apply(batch(actor, 30))
    const paths = [...actor.known.keys()].map((path) => path.split('/'))
    await actor.apply(paths.map(([collection, rkey]) => ({ $type: 'com.atproto.repo.applyWrites#delete', collection, rkey })))
    actor.known.clear()
    await actor.apply(batch(actor, 10))
    await agree()
  })

  await checks.step('handle changes', async () => {
    for (const actor of actors.slice(0, 2)) {
      await actor.call('com.atproto.identity.updateHandle', { handle: `renamed-${actor.handle}` })
      await actor.put(COLLECTIONS[0], 'after-rename', { n: 1 })
    }
    await agree()
  })

  await checks.step('deactivation and reactivation', async () => {
    const actor = actors[2]
    await actor.call('com.atproto.server.deactivateAccount', {})
    await until('the relay says deactivated', async () => (await relay.status(actor.did)).status === 'deactivated')
    await actor.call('com.atproto.server.activateAccount')
    await until('the relay says active', async () => (await relay.status(actor.did)).active)
    await actor.put(COLLECTIONS[0], 'back', { n: 1 })
    await agree()
  })

  await checks.step('takedown and its end', async () => {
    const actor = actors[3]
    const subject = { $type: 'com.atproto.admin.defs#repoRef', did: actor.did }
    ok(await admin.post('com.atproto.admin.updateSubjectStatus', { subject, takedown: { applied: true, ref: 'r' } }))
    await until('the relay says takendown', async () => (await relay.status(actor.did)).status === 'takendown')
    ok(await admin.post('com.atproto.admin.updateSubjectStatus', { subject, takedown: { applied: false } }))
    await until('the relay says active', async () => (await relay.status(actor.did)).active)
    await actor.put(COLLECTIONS[0], 'restored', { n: 1 })
    await agree()
  })

  await checks.step('an account moves here', async () => {
    const [signing, rotation] = [await Secp256k1Keypair.create(), await Secp256k1Keypair.create()]
    const directory = new Directory(plc.url)
    const handle = 'moved-here.test'
    const did = await directory.createDid({ signingKey: signing.did(), rotationKeys: [rotation.did()], handle, pds: 'http://localhost:1', signer: rotation })
    const storage = new MemoryBlockstore()
    let repo = await Repo.create(storage, did, signing)
    for (let i = 0; i < 4; i += 1) {
      const ops = Array.from({ length: 50 }, (_, k) => ({ action: WriteOpAction.Create, collection: COLLECTIONS[k % 4], rkey: `m${i}-${k}`, record: { i, k } }))
      repo = await repo.applyWrites(ops, signing)
    }
    const aud = ok(await api.get('com.atproto.server.describeServer')).did
    const token = await createServiceJwt({ iss: did, aud, lxm: 'com.atproto.server.createAccount', keypair: signing })
    const actor = await newActor({ input: { did, handle }, client: api.as(token) })
    const reply = await actor.api.send('com.atproto.repo.importRepo', await blocksToCarFile(repo.cid, storage.blocks), 'application/vnd.ipld.car')
    assert.equal(reply.status, 200, reply.text)
    const wanted = ok(await actor.api.get('com.atproto.identity.getRecommendedDidCredentials'))
    await directory.updateData(did, rotation, (last) => ({ ...last, ...wanted, rotationKeys: [rotation.did(), ...wanted.rotationKeys] }))
    await actor.call('com.atproto.server.activateAccount')
    // The reference announces the imported commit, signed with the old key, and the relay drops it (network-tools 2).
    if (!ours) await until('the relay knows the account', async () => (await relay.status(did)).did === did)
    await actor.put(COLLECTIONS[0], 'first-here', { n: 1 })
    await actor.apply(batch(actor, 30))
    await agree()
  })

  if (ours) {
    await checks.step('import into a repo that tap knows', async () => {
      const actor = actors[4]
      const before = await actor.records()
      const car = await actor.export()
      await actor.apply(batch(actor, 50))
      await agree()
      const level = await actor.records()
      await until('tap is level', () => {
        assert.deepEqual(sorted(tap.records(actor.did)), sorted(level))
        return true
      }, { every: 100 })
      const reply = await actor.api.send('com.atproto.repo.importRepo', car, 'application/vnd.ipld.car')
      assert.equal(reply.status, 200, reply.text)
      imports.set(actor.did, 1)
      assert.deepEqual(await actor.records(), before)
      actor.known = undefined
      await agree()
      actor.stale = true // tap emits no deletes after it fetched a repo anew (network-tools 8)
      await actor.put(COLLECTIONS[0], 'after-import', { n: 1 })
      await agree()
    })
  }

  await checks.step('a restart of the relay', async () => {
    await actors[0].apply(batch(actors[0], 20))
    await agree()
    await mayRepeat()
    await relay.restart()
    for (const actor of actors) await actor.put(COLLECTIONS[1], 'after-relay-restart', { n: 1 })
    await agree()
  })

  await checks.step('writes while the relay is down', async () => {
    await relay.child.end()
    for (let i = 0; i < 10; i += 1) for (const actor of actors.slice(0, 3)) await actor.apply(batch(actor, 1 + dice.below(20)))
    await mayRepeat()
    await relay.launch()
    await agree()
  })

  await checks.step('kill -9 of the server under load, twice', async () => {
    for (let round = 0; round < 2; round += 1) {
      let writing = true
      const acknowledged = actors.map(() => [])
      const writers = actors.map(async (actor, k) => {
        for (let i = 0; writing; i += 1) {
          const rkey = `crash${round}-${i}`
          try {
            acknowledged[k].push([rkey, (await actor.put(COLLECTIONS[3], rkey, { i })).cid])
          } catch (error) {
            if (writing && !String(error).includes('fetch failed')) throw error
            return
          }
        }
      })
      await until('some writes', () => acknowledged.every((list) => list.length >= 3))
      if (!ours) {
        // The reference numbers an event before it commits the write (reference-pds 11.1): a kill in between shows a commit that never was.
        writing = false
        await Promise.all(writers)
      }
      await pds.kill()
      writing = false
      await Promise.all(writers)
      kills += 1
      const from = Date.now()
      await pds.start()
      repeats.push({ from, seq: await newestSeq() })
      for (const [k, actor] of actors.entries()) {
        const records = await actor.records()
        for (const [rkey, cid] of acknowledged[k]) assert.equal(records.get(`${COLLECTIONS[3]}/${rkey}`), cid, `acknowledged ${rkey}`)
      }
      for (const actor of actors) await actor.put(COLLECTIONS[1], 'after-kill', { round })
      await agree()
    }
  })

  await checks.step('a deleted account', async () => {
    const actor = await newActor()
    await actor.put(COLLECTIONS[0], 'k', { n: 1 })
    await agree()
    await until('tap has it', () => tap.repo(actor.did)?.state === 'active' && tap.records(actor.did).size === 1, { within: 30_000, every: 100 })
    ok(await admin.post('com.atproto.admin.deleteAccount', { did: actor.did }))
    actor.gone = true
    await until('the relay says deleted', async () => (await relay.status(actor.did)).status === 'deleted')
    await until('tap dropped it', () => tap.repo(actor.did) === undefined || tap.records(actor.did).size === 0)
  })

  await checks.check('the relay took every event', async () => {
    await until('level', async () => {
      const { hosts } = ok(await relay.api.get('com.atproto.sync.listHosts'))
      assert.equal(hosts.length, 1)
      assert.equal(hosts[0].status, 'active')
      return hosts[0].seq > 0
    })
    const metrics = await relay.metrics()
    console.log(`     relay: ${metrics.events_received_counter} events received since its last start, of them ${metrics.repo_commits_received_counter ?? 0} commits and ${metrics.repo_sync_received_counter ?? 0} syncs`)
    assert.ok(metrics.events_received_counter > 0)
    assert.equal(metrics.events_warn_counter ?? 0, 0)
  })

  await checks.check('the relay’s list of repos is the server’s', async () => {
    const list = async (client) => {
      const all = new Map()
      let cursor
      do {
        const page = ok(await client.get('com.atproto.sync.listRepos', { limit: 100, cursor }))
        for (const repo of page.repos) all.set(repo.did, repo)
        cursor = page.cursor
      } while (cursor)
      return all
    }
    const [theirs, mine] = [await list(relay.api), await list(api)]
    for (const actor of actors) {
      if (actor.gone) continue
      const [a, b] = [theirs.get(actor.did), mine.get(actor.did)]
      assert.deepEqual([a?.head, a?.rev, a?.active ?? true], [b.head, b.rev, b.active])
    }
  })

  await checks.check('tap’s records are the server’s', async () => {
    let total = 0
    for (const actor of actors) {
      if (actor.gone) continue
      const records = await actor.records()
      await until(`tap is level with ${actor.did}`, () => {
        const seen = tap.records(actor.did)
        if (actor.stale) for (const path of seen.keys()) if (!records.has(path)) seen.delete(path)
        assert.deepEqual(sorted(seen), sorted(records))
        return tap.repo(actor.did).state === 'active'
      }, { within: 30_000, every: 250 })
      total += records.size
    }
    console.log(`     tap: ${total} records in ${actors.filter((actor) => !actor.gone).length} repos`)
    assert.ok(total > 500)
  })

  await checks.check('no event was refused or doubted', async () => {
    const bad = []
    let reconnects = 0
    let old = 0
    for (const line of relay.lines()) {
      if (line.msg === reconnect) reconnects += 1
      else if (line.msg === 'dropping commit with old rev') {
        old += 1
        if (!repeats.some(({ from, seq }) => Date.parse(line.time) >= from && line.seq <= seq)) bad.push(line)
      } else if (refusals.includes(line.msg)) bad.push(line)
    }
    console.log(`     relay log: ${relay.lines().length} lines, ${reconnects} reconnects, ${old} old revs asked for again`)
    if (ours) assert.deepEqual(bad, [])
    else if (bad.length) console.log(`     known of the reference: ${bad.map((line) => `${line.msg}${line.err ? ` (${line.err})` : ''}`).join('; ')}`)
    assert.ok(reconnects <= kills, `${reconnects} reconnects for ${kills} kills`)
  })

  await checks.check('tap saw no broken chain', async () => {
    const lines = tap.lines()
    const bad = lines.filter((line) => tapRefusals.includes(line.msg) && !(line.msg === 'repo state desynchronized' && imports.has(line.did)))
    const resyncs = new Map()
    for (const line of lines) if (line.msg === 'starting resync') resyncs.set(line.did, (resyncs.get(line.did) ?? 0) + 1)
    console.log(`     tap log: ${lines.length} lines, ${[...resyncs.values()].reduce((a, b) => a + b, 0)} fetches of ${resyncs.size} repos`)
    if (!ours) return
    assert.deepEqual(bad, [])
    for (const [did, n] of resyncs) assert.ok(n <= 1 + (imports.get(did) ?? 0), `${did} was fetched ${n} times`)
  })

  await tap.child.end()
})

function sorted(map) {
  return Object.fromEntries([...map].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

if (process.env.E2E_KEEP) console.log(`kept: ${folder}`)
console.log(`relay-on-${values.kind}: ${counts.requests} requests`)
await relay.child?.end().catch(() => {})
await pds.stop().catch((error) => console.error(String(error)))
await plc.end()
process.exit(passed ? 0 : 1)
