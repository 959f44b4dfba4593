// No answer before the sync; a failing sync or a full disk is 503, nothing acknowledged, nothing shown, nothing lost.
//   node durability/run.mjs --kind arroba --binary PATH
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Actor, ok } from '../lib/actor.mjs'
import { Checks } from '../lib/checks.mjs'
import { Subscriber } from '../lib/firehose.mjs'
import { Pds, startPlc, temporaryFolder } from '../lib/servers.mjs'
import { until } from '../lib/wait.mjs'
import { Client, counts } from '../lib/xrpc.mjs'
import { everyAnswerIsDurable, Strace } from './trace.mjs'

const { values } = parseArgs({ options: { kind: { type: 'string' }, binary: { type: 'string' } } })
const folder = temporaryFolder('durability')
const plc = await startPlc(folder)
const pds = await Pds.start({ kind: values.kind, binary: values.binary, folder, plcUrl: plc.url })
const COLLECTION = 'com.example.thing'
const logs = () => readdirSync(pds.environment.PDS_DATA_DIRECTORY, { recursive: true }).filter((name) => name.endsWith('-wal')).map((name) => join(pds.environment.PDS_DATA_DIRECTORY, name))
let traces = 0

async function tracing(options) {
  traces += 1
  return new Strace(pds.child.pid, join(folder, `strace${traces}`), options).attached()
}

/** Runs `body` while the given calls on the database's log fail. */
async function failing(inject, body) {
  const paths = logs()
  assert.ok(paths.length > 0, 'there is a write-ahead log')
  const strace = await tracing([...paths.flatMap((path) => ['-P', path]), '-e', `trace=${inject.calls}`, '-e', `inject=${inject.calls}:error=${inject.error}`])
  try {
    await body()
  } finally {
    const text = await strace.detach()
    assert.match(text, /INJECTED/, 'a call did fail')
  }
}

const write = (actor, rkey) => actor.api.post('com.atproto.repo.putRecord', { repo: actor.did, collection: COLLECTION, rkey, record: { rkey } })
const refused = (reply) => {
  assert.equal(reply.status, 503, `${reply.status} ${reply.text}`)
  assert.equal(typeof reply.error, 'string')
}

const checks = new Checks(`durability-on-${values.kind}`)
const passed = await checks.run(async () => {
  const actor = await Actor.create(pds.url, 'durable')
  ok(await write(actor, 'first'))

  await checks.check('every answer comes after a successful sync of the log that was written', async () => {
    const strace = await tracing(['-e', 'trace=pwrite64,fdatasync,fsync,sync_file_range,write,writev,sendto,sendmsg'])
    for (let i = 0; i < 40; i += 1) ok(await write(actor, `traced${i}`))
    const log = await strace.detach()
    const answers = everyAnswerIsDurable(log, pds.port)
    assert.equal(answers, 40)
    console.log(`     ${answers} answers, ${log.split('\n').length} system calls`)
    // The same trace without its syncs is what synchronous=OFF would leave.
    const off = log.split('\n').filter((line) => !/(fdatasync|fsync|sync_file_range)/.test(line)).join('\n')
    assert.throws(() => everyAnswerIsDurable(off, pds.port), /no successful sync/)
  })

  const head = async () => (await actor.latest()).cid
  const newest = async () => {
    const subscriber = await new Subscriber(pds.url, 0).opened()
    const { rev } = await actor.latest()
    await subscriber.untilSeen('the head', () => subscriber.frames.some((frame) => frame.body.rev === rev))
    subscriber.close()
    return subscriber.frames
  }

  await checks.check('a full disk: 503, nothing acknowledged, and it goes on when there is room', async () => {
    const before = await head()
    await failing({ calls: 'pwrite64', error: 'ENOSPC' }, async () => {
      refused(await write(actor, 'full1'))
      refused(await write(actor, 'full2'))
      assert.equal(await head(), before, 'reads go on')
    })
    await until('there is room again', async () => (await write(actor, 'room')).status === 200)
    const records = await actor.records()
    assert.ok(!records.has(`${COLLECTION}/full1`) && !records.has(`${COLLECTION}/full2`) && records.has(`${COLLECTION}/room`))
    const paths = (await newest()).flatMap((frame) => frame.body.ops ?? []).map((op) => op.path)
    assert.ok(!paths.some((path) => path.includes('full')))
  })

  await checks.check('a failing sync: 503 until a restart, nothing acknowledged, nothing lost', async () => {
    const seen = (await newest()).map((frame) => [frame.body.seq, Buffer.from(frame.bytes).toString('hex')])
    const live = await new Subscriber(pds.url).opened()
    await failing({ calls: 'fdatasync,fsync', error: 'EIO' }, async () => refused(await write(actor, 'unsynced')))
    refused(await write(actor, 'after'))
    ok(await new Client(pds.url).get('com.atproto.server.describeServer'))
    assert.ok(!live.frames.some((frame) => frame.body.ops?.some((op) => op.path.includes('unsynced'))), 'nobody was shown it')
    live.close()
    await pds.kill()
    await pds.start()
    const records = await actor.records()
    for (let i = 0; i < 40; i += 1) assert.ok(records.has(`${COLLECTION}/traced${i}`))
    assert.ok(!records.has(`${COLLECTION}/after`))
    ok(await write(actor, 'again'))
    const replay = new Map((await newest()).map((frame) => [frame.body.seq, Buffer.from(frame.bytes).toString('hex')]))
    for (const [seq, bytes] of seen) assert.equal(replay.get(seq), bytes)
  })
})

console.log(`durability-on-${values.kind}: ${counts.requests} requests`)
if (process.env.E2E_KEEP) console.log(`kept: ${folder}`)
await pds.stop().catch((error) => console.error(String(error)))
await plc.end()
process.exit(passed ? 0 : 1)
