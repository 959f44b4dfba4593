// A repo of a million records goes to a client that reads slowly, while writes go on, in a process that may use 64 MB.
//   node memory/run.mjs --kind arroba --binary PATH [--records 1000000]
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Actor, ok } from '../lib/actor.mjs'
import { Checks } from '../lib/checks.mjs'
import { Pds, startPlc, temporaryFolder } from '../lib/servers.mjs'
import { counts } from '../lib/xrpc.mjs'

const { values } = parseArgs({ options: { kind: { type: 'string' }, binary: { type: 'string' }, records: { type: 'string', default: '1000000' } } })
const ours = values.kind === 'arroba'
const total = Number(values.records)
const LIMIT = 64 * 1024 * 1024
const COLLECTION = 'com.example.thing'
const folder = temporaryFolder('memory')
const plc = await startPlc(folder)
const pds = await Pds.start({ kind: values.kind, binary: values.binary, folder, plcUrl: plc.url })

/** A control group with a memory limit, where this machine lets us make one. */
function group() {
  for (const [root, file] of [['/sys/fs/cgroup/memory', 'memory.limit_in_bytes'], ['/sys/fs/cgroup', 'memory.max']]) {
    const path = join(root, `arroba-e2e-${process.pid}`)
    try {
      mkdirSync(path)
      if (existsSync(join(path, file))) {
        writeFileSync(join(path, file), String(LIMIT))
        return path
      }
      rmdirSync(path)
    } catch {
      continue
    }
  }
  return undefined
}

const peak = () => Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pds.child.pid}/status`, 'utf8'))[1]) * 1024
const logSize = () => readdirSync(pds.environment.PDS_DATA_DIRECTORY, { recursive: true }).filter((name) => name.endsWith('-wal')).reduce((sum, name) => sum + statSync(join(pds.environment.PDS_DATA_DIRECTORY, name)).size, 0)
const mb = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`

/** Reads a CAR in small sips; checks each block against its CID, and counts. */
async function sip(url, bytesPerSecond) {
  const response = await new Promise((resolve, reject) => get(url, { headers: { 'accept-encoding': 'identity' }, highWaterMark: 16384 }, resolve).on('error', reject))
  assert.equal(response.statusCode, 200)
  const started = Date.now()
  let size = 0
  let blocks = 0
  let records = 0
  let rest = Buffer.alloc(0)
  let header = true
  for await (const chunk of response) {
    size += chunk.length
    rest = rest.length ? Buffer.concat([rest, chunk]) : chunk
    for (;;) {
      let length = 0
      let at = 0
      for (let shift = 0; at < rest.length; shift += 7) {
        const byte = rest[at++]
        length += (byte & 0x7f) * 2 ** shift
        if (byte < 0x80) break
        if (at === rest.length) length = Infinity
      }
      if (at === 0 || at + length > rest.length) break
      const section = rest.subarray(at, at + length)
      rest = rest.subarray(at + length)
      if (header) header = false
      else {
        blocks += 1
        assert.ok(createHash('sha256').update(section.subarray(36)).digest().equals(section.subarray(4, 36)), `block ${blocks} hashes to its CID`)
        if (section.includes(COLLECTION_TYPE)) records += 1
      }
    }
    const ahead = size / bytesPerSecond - (Date.now() - started) / 1000
    if (ahead > 0.05) await pause(ahead * 1000)
  }
  assert.equal(rest.length, 0, 'the CAR ends with a whole block')
  assert.ok(response.complete)
  return { size, blocks, records, seconds: (Date.now() - started) / 1000 }
}
const COLLECTION_TYPE = Buffer.from(`e$typeq${COLLECTION}`)

const checks = new Checks(`memory-on-${values.kind}`)
let cgroup
const passed = await checks.run(async () => {
  const actor = await Actor.create(pds.url, 'million')
  await checks.step(`a repo of ${total} records`, async () => {
    for (let made = 0; made < total; ) {
      const size = Math.min(200, total - made)
      const writes = Array.from({ length: size }, (_, i) => ({ $type: 'com.atproto.repo.applyWrites#create', collection: COLLECTION, rkey: `k${String(((made + i) * 7919) % 10_000_019).padStart(8, '0')}`, value: { n: made + i, text: 'a record of middling size, as posts are, more or less' } }))
      await actor.apply(writes)
      made += size
    }
  })
  await checks.step('the export to a slow client, while writes go on', async () => {
    await pds.stop()
    cgroup = group()
    pds.group = cgroup
    await pds.start()
    const writer = await Actor.create(pds.url, 'busy')
    let writing = true
    let writes = 0
    let log = 0
    const busy = (async () => {
      while (writing) {
        // At most a hundred rounds a second: the log then tells how long a snapshot is open, not how fast the machine writes.
        const next = pause(10)
        await writer.apply(Array.from({ length: 20 }, (_, i) => ({ $type: 'com.atproto.repo.applyWrites#create', collection: COLLECTION, value: { i, text: 'x'.repeat(500) } })))
        await actor.put(COLLECTION, 'busy', { writes })
        writes += 1
        log = Math.max(log, logSize())
        await next
      }
    })()
    const seen = await sip(`${pds.url}/xrpc/com.atproto.sync.getRepo?did=${actor.did}`, 12_000_000)
    writing = false
    await busy
    console.log(`     ${mb(seen.size)}, ${seen.blocks} blocks, ${seen.records} records in ${seen.seconds.toFixed(1)} s; ${writes} rounds of writes meanwhile; peak ${mb(peak())} resident, log at most ${mb(log)}; ${cgroup ? `limited to ${mb(LIMIT)}` : 'no control group here, so the peak was measured'}`)
    assert.ok(seen.records >= total && seen.records <= total + 1, `${seen.records} records`)
    if (!ours) return
    assert.ok(writes > 5)
    // Within the control group the kernel ends whoever needs more; elsewhere the peak is what we can see.
    if (!cgroup) assert.ok(peak() <= LIMIT, `peak ${mb(peak())}`)
    assert.ok(log <= LIMIT, `the write-ahead log grew to ${mb(log)}`)
  })
  ok(await actor.api.get('com.atproto.server.getSession'))
})

console.log(`memory-on-${values.kind}: ${counts.requests} requests`)
if (process.env.E2E_KEEP) console.log(`kept: ${folder}`)
await pds.stop().catch((error) => console.error(String(error)))
await plc.end()
if (cgroup) rmdirSync(cgroup)
process.exit(passed ? 0 : 1)
