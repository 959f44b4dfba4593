// Writers under load, kill -9 at random moments, again and again. After each restart: every acknowledged write is there,
// batches are whole, every repo verifies, the stream ends at the heads, and every frame ever shown comes again, byte for byte.
//   node crash/run.mjs --kind arroba --binary PATH [--kills 50] [--seed N]
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { verifyRepoCar } from '@atproto/repo'
import { Actor, random } from '../lib/actor.mjs'
import { Checks } from '../lib/checks.mjs'
import { Subscriber } from '../lib/firehose.mjs'
import { decodeBlock, openCar } from '../lib/frames.mjs'
import { Pds, startPlc, temporaryFolder } from '../lib/servers.mjs'
import { until } from '../lib/wait.mjs'
import { counts, request } from '../lib/xrpc.mjs'

const { values } = parseArgs({ options: { kind: { type: 'string' }, binary: { type: 'string' }, kills: { type: 'string', default: '50' }, seed: { type: 'string', default: String(Date.now() % 1_000_000) } } })
const ours = values.kind === 'arroba'
const kills = Number(values.kills)
const dice = random(Number(values.seed))
console.log(`seed ${values.seed}`)
const folder = temporaryFolder('crash')
const plc = await startPlc(folder)
const pds = await Pds.start({ kind: values.kind, binary: values.binary, folder, plcUrl: plc.url })
const COLLECTIONS = ['com.example.alpha', 'com.example.beta', 'com.example.gamma']

/** Every frame that any subscriber was ever shown: seq -> bytes. */
const shown = new Map()
let replayed = 0
let acknowledged = 0
let lost = 0

function remember(frame) {
  const { seq } = frame.body
  if (seq === undefined) return
  const before = shown.get(seq)
  if (before === undefined) shown.set(seq, Buffer.from(frame.bytes))
  else {
    assert.ok(before.equals(Buffer.from(frame.bytes)), `sequence number ${seq} shows another frame than before`)
    replayed += 1
  }
}

/** One writer with keys of its own: what surely is, and the one request whose fate is unknown. */
class Writer {
  constructor(actor, n) {
    Object.assign(this, { actor, prefix: `w${n}`, certain: new Map(), pending: undefined, made: 0 })
  }

  plan() {
    const size = dice.below(3) ? 1 : 2 + dice.below(9)
    const changes = new Map()
    while (changes.size < size) {
      const known = [...this.certain.keys()].filter((path) => !changes.has(path))
      const what = known.length > 5 ? dice.below(3) : 0
      if (what === 0) changes.set(`${dice.pick(COLLECTIONS)}/${this.prefix}-${(this.made += 1)}`, ['create', { n: this.made, fill: 'x'.repeat(dice.below(300)) }])
      else if (what === 1) changes.set(dice.pick(known), ['update', { n: (this.made += 1), changed: true }])
      else changes.set(dice.pick(known), ['delete', undefined])
    }
    return changes
  }

  async step() {
    const changes = this.plan()
    this.pending = changes
    const writes = [...changes].map(([path, [action, value]]) => {
      const [collection, rkey] = path.split('/')
      return { $type: `com.atproto.repo.applyWrites#${action}`, collection, rkey, value }
    })
    await this.actor.apply(writes)
    this.settle(changes)
    acknowledged += 1
  }

  settle(changes) {
    for (const [path, [action, value]] of changes) {
      if (action === 'delete') this.certain.delete(path)
      else this.certain.set(path, value)
    }
    this.pending = undefined
  }

  /** Compares with what the repo holds; the unanswered request has happened as a whole or not at all. */
  check(records) {
    const holds = (path, value) => {
      const record = records.get(path)
      if (value === undefined || record === undefined) return record === value
      const { $type: _, ...rest } = record
      return JSON.stringify(rest) === JSON.stringify(value) || (rest.n === value.n && rest.changed === value.changed && rest.fill === value.fill)
    }
    if (this.pending) {
      const happened = [...this.pending].map(([path, [, value]]) => holds(path, value))
      if (happened.every(Boolean)) this.settle(this.pending)
      else {
        lost += 1
        this.pending = undefined
      }
    }
    for (const [path, value] of this.certain) assert.ok(holds(path, value), `${this.actor.did} ${path}: acknowledged ${JSON.stringify(value)}, found ${JSON.stringify(records.get(path))}`)
    for (const path of records.keys()) {
      if (path.split('/')[1].startsWith(`${this.prefix}-`)) assert.ok(this.certain.has(path), `${this.actor.did} ${path}: half of an unanswered batch, or a deleted record`)
    }
  }
}

async function stream(cursor, heads) {
  const subscriber = await new Subscriber(pds.url, cursor).opened()
  await subscriber.untilSeen('every head', () => {
    const last = new Map()
    const revs = new Set(subscriber.frames.map((frame) => frame.body.rev))
    for (const { body } of subscriber.frames) if (body.rev) last.set(body.repo ?? body.did, body.rev)
    const behind = heads.filter(({ did, rev, since }) => !since && (ours ? last.get(did) !== rev : !revs.has(rev)))
    if (behind.length) throw new Error(`heads: ${JSON.stringify(behind)}, last events: ${JSON.stringify(behind.map(({ did }) => last.get(did)))}`)
    return true
  })
  subscriber.close()
  return subscriber.frames
}

const checks = new Checks(`crash-on-${values.kind}`)
const passed = await checks.run(async () => {
  const actors = []
  const keys = new Map()
  const writers = []
  await checks.step('accounts', async () => {
    for (let i = 0; i < 6; i += 1) {
      const actor = await Actor.create(pds.url, `writer${i}`)
      actors.push(actor)
      keys.set(actor.did, (await request(`${plc.url}/${actor.did}/data`)).body.verificationMethods.atproto)
      for (let k = 0; k < 3; k += 1) writers.push(new Writer(actor, k))
    }
  })

  let mark = 0
  await checks.step(`${kills} kills`, async () => {
    for (let round = 1; round <= kills; round += 1) {
      const live = await new Subscriber(pds.url).opened()
      let writing = true
      const running = writers.map(async (writer) => {
        while (writing) {
          try {
            await writer.step()
          } catch (error) {
            if (String(error).includes('fetch failed') || String(error.cause ?? '').includes('terminated') || String(error).includes('terminated')) return
            throw error
          }
        }
      })
      // The moment of the kill is what the test draws: after so many answers, and a little later.
      const target = acknowledged + dice.below(ours ? 80 : 10)
      await until('enough answers', () => acknowledged >= target, { within: 60_000, every: 2 })
      await pause(dice.below(20))
      await pds.kill()
      writing = false
      await Promise.all(running)
      if (live.broken) throw live.broken
      for (const frame of live.frames) remember(frame)
      live.close()

      await pds.start()
      const heads = []
      for (const actor of actors) {
        const bytes = await actor.export()
        await verifyRepoCar(bytes, actor.did, keys.get(actor.did))
        const { roots, blocks } = await openCar(bytes)
        const records = new Map()
        const walk = (cid) => {
          const node = decodeBlock(blocks.get(cid))
          if (node.l) walk(node.l.toString())
          let key = Buffer.alloc(0)
          for (const entry of node.e) {
            key = Buffer.concat([key.subarray(0, entry.p), Buffer.from(entry.k)])
            records.set(key.toString(), decodeBlock(blocks.get(entry.v.toString())))
            if (entry.t) walk(entry.t.toString())
          }
        }
        const commit = decodeBlock(blocks.get(roots[0]))
        walk(commit.data.toString())
        for (const writer of writers) if (writer.actor === actor) writer.check(records)
        const latest = await actor.latest()
        assert.deepEqual([latest.cid, latest.rev], [roots[0], commit.rev])
        heads.push({ did: actor.did, rev: commit.rev, since: commit.rev === actor.lastRev })
        actor.lastRev = commit.rev
      }
      const whole = round % 10 === 0 || round === kills
      const frames = await stream(whole ? 0 : mark, whole ? heads.map(({ did, rev }) => ({ did, rev })) : heads)
      for (const frame of frames) remember(frame)
      const seqs = frames.map((frame) => frame.body.seq)
      for (let i = 1; i < seqs.length; i += 1) assert.ok(seqs[i] > seqs[i - 1], 'sequence numbers grow')
      if (whole) {
        const again = new Set(seqs)
        for (const seq of shown.keys()) assert.ok(again.has(seq) || seq > seqs.at(-1), `the frame ${seq} was shown once and is gone`)
        // The reference numbers an event before it commits the write (reference-pds 11.1), so there a stream can run ahead of its repo.
        for (const { did, rev } of ours ? heads : []) assert.equal(frames.findLast(({ body }) => (body.repo ?? body.did) === did && body.rev).body.rev, rev, 'no event beyond the head')
      }
      mark = Math.max(mark, ...shown.keys()) - 50
    }
    console.log(`     ${acknowledged} acknowledged batches, ${lost} unanswered ones that did not happen, ${shown.size} frames shown, ${replayed} times shown again`)
    if (ours) assert.ok(acknowledged > kills * 10, 'the load was a load')
  })
})

console.log(`crash-on-${values.kind}: ${counts.requests} requests`)
if (process.env.E2E_KEEP) console.log(`kept: ${folder}`)
await pds.stop().catch((error) => console.error(String(error)))
await plc.end()
process.exit(passed ? 0 : 1)
