// What the configuration decides: invites, rate limits, imports, crawlers, the backfill window, restarts, wrong values.
//   node config/run.mjs --kind reference|arroba [--binary PATH]
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Actor, ok } from '../lib/actor.mjs'
import { Checks } from '../lib/checks.mjs'
import { Subscriber } from '../lib/firehose.mjs'
import { Child, freePort } from '../lib/process.mjs'
import { Pds, startPlc, temporaryFolder } from '../lib/servers.mjs'
import { until } from '../lib/wait.mjs'
import { Client, counts } from '../lib/xrpc.mjs'

const { values } = parseArgs({ options: { kind: { type: 'string' }, binary: { type: 'string' } } })
const ours = values.kind === 'arroba'
const folder = temporaryFolder('config')
const plc = await startPlc(folder)
let started = 0

async function withPds(extra, body) {
  started += 1
  const own = join(folder, `pds${started}`)
  mkdirSync(own)
  const pds = await Pds.start({ kind: values.kind, binary: values.binary, folder: own, plcUrl: plc.url, extra })
  try {
    await body(pds, new Client(pds.url))
  } finally {
    await pds.stop()
  }
}

const refused = (reply, status, error, message) => {
  assert.equal(reply.status, status, reply.text)
  assert.equal(reply.error, error, reply.text)
  if (message) assert.match(reply.message, message)
}
const input = (n, more = {}) => ({ handle: `person${n}.test`, email: `person${n}@example.com`, password: 'correct-horse', ...more })

const checks = new Checks(`config-on-${values.kind}`)
const passed = await checks.run(async () => {
  await checks.check('invite codes are asked for, and used up', () =>
    withPds({ PDS_INVITE_REQUIRED: 'true' }, async (pds, api) => {
      const create = (n, more) => api.post('com.atproto.server.createAccount', input(n, more))
      assert.equal(ok(await api.get('com.atproto.server.describeServer')).inviteCodeRequired, true)
      refused(await create(1), 400, 'InvalidInviteCode', /No invite code provided/)
      refused(await create(1, { inviteCode: 'localhost-aaaaa-bbbbb' }), 400, 'InvalidInviteCode', /Provided invite code not available/)
      const { code: inviteCode } = ok(await api.admin(pds.adminPassword).post('com.atproto.server.createInviteCode', { useCount: 1 }))
      const first = ok(await create(1, { inviteCode }))
      refused(await create(2, { inviteCode }), 400, 'InvalidInviteCode')
      const info = ok(await api.admin(pds.adminPassword).get('com.atproto.admin.getAccountInfo', { did: first.did }))
      assert.equal(info.invitedBy.code, inviteCode)
      assert.equal(info.invitedBy.uses[0].usedBy, first.did)
      const shared = ok(await api.admin(pds.adminPassword).post('com.atproto.server.createInviteCode', { useCount: 1 })).code
      const raced = await Promise.all([3, 4, 5].map((n) => create(n, { inviteCode: shared })))
      if (ours) assert.equal(raced.filter((reply) => reply.status === 200).length, 1, 'a code is used once also in a race (pitfalls, security 21)')
    }),
  )

  await checks.check('rate limits: the reference’s numbers and headers', () =>
    withPds({ PDS_RATE_LIMITS_ENABLED: 'true' }, async (pds, api) => {
      const attempt = (ip) => api.post('com.atproto.server.createSession', { identifier: 'nobody.test', password: 'x' }, { headers: { 'x-forwarded-for': ip } })
      const first = await attempt('203.0.113.1')
      assert.equal(first.status, 401)
      assert.equal(first.header('ratelimit-limit'), '30')
      assert.equal(first.header('ratelimit-remaining'), '29')
      assert.match(first.header('ratelimit-policy'), /^30;w=300/)
      assert.ok(Number(first.header('ratelimit-reset')) > Date.now() / 1000 - 5)
      await Promise.all(Array.from({ length: 29 }, () => attempt('203.0.113.1')))
      const over = await attempt('203.0.113.1')
      refused(over, 429, 'RateLimitExceeded', /Rate Limit Exceeded/)
      assert.ok(Number(over.header('retry-after')) > 0)
      assert.equal(over.header('ratelimit-remaining'), '0')
      assert.equal((await attempt('203.0.113.2')).status, 401, 'another address has its own')
      assert.equal((await api.get('com.atproto.server.describeServer')).status, 200)
    }),
  )

  await checks.check('imports can be switched off', () =>
    withPds({ PDS_ACCEPTING_REPO_IMPORTS: 'false' }, async (pds) => {
      const actor = await Actor.create(pds.url, 'importer')
      const reply = await actor.api.send('com.atproto.repo.importRepo', await actor.export(), 'application/vnd.ipld.car')
      refused(reply, 400, 'InvalidRequest', /not accepting repo imports/)
    }),
  )

  await checks.check('crawlers are told, and a silent one delays nothing', async () => {
    const asked = []
    const crawler = createServer((request, response) => {
      const chunks = []
      request.on('data', (chunk) => chunks.push(chunk))
      request.on('end', () => {
        asked.push([request.url, JSON.parse(Buffer.concat(chunks).toString())])
        response.setHeader('content-type', 'application/json')
        response.end('{}')
      })
    }).listen(0, '127.0.0.1')
    const silent = createServer(() => {}).listen(0, '127.0.0.1')
    await Promise.all([once(crawler, 'listening'), once(silent, 'listening')])
    const hangUp = () => {
      for (const server of [crawler, silent]) {
        server.closeAllConnections()
        server.close()
      }
    }
    const dead = await freePort()
    const urls = [silent.address().port, dead, crawler.address().port].map((port) => `http://localhost:${port}`)
    try {
      await withPds({ PDS_CRAWLERS: urls.join(',') }, async (pds) => {
        const started = Date.now()
        const actor = await Actor.create(pds.url, 'crawled')
        for (let i = 0; i < 5; i += 1) await actor.create('com.example.thing', { i })
        assert.ok(Date.now() - started < 5_000)
        await until('the crawler is asked', () => asked.length > 0)
        assert.equal(asked[0][0], '/xrpc/com.atproto.sync.requestCrawl')
        assert.match(asked[0][1].hostname, /^localhost(:\d+)?$/)
        assert.equal(asked.length, 1, 'paced')
        if (!ours) hangUp() // the reference does not end while a crawler keeps silent
      })
    } finally {
      hangUp()
    }
  })

  await checks.check('a cursor older than the window: #info OutdatedCursor first', () =>
    withPds({ PDS_REPO_BACKFILL_LIMIT_MS: '1' }, async (pds, api) => {
      const actor = await Actor.create(pds.url, 'early')
      await actor.create('com.example.thing', { n: 1 })
      const subscriber = await new Subscriber(pds.url, 1).opened()
      await subscriber.untilSeen('a frame', () => subscriber.frames.length > 0)
      assert.equal(subscriber.frames[0].type, '#info')
      assert.equal(subscriber.frames[0].body.name, 'OutdatedCursor')
      const later = await Actor.create(pds.url, 'later')
      await subscriber.untilCount(later.did, 4)
      subscriber.close()
    }),
  )

  await checks.check('a restart keeps everything, and sequence numbers go on', () =>
    withPds({}, async (pds, api) => {
      const actor = await Actor.create(pds.url, 'keeper')
      const made = await actor.create('com.example.thing', { n: 1 })
      const before = await new Subscriber(pds.url, 0).opened()
      const seen = await before.untilCount(actor.did, 5)
      await pds.stop()
      await until('the subscriber is told', () => before.closed)
      await pds.start()
      assert.deepEqual(await actor.latest(), made.commit)
      ok(await actor.api.get('com.atproto.server.getSession'))
      await actor.create('com.example.thing', { n: 2 })
      const after = await new Subscriber(pds.url, 0).opened()
      const again = await after.untilCount(actor.did, 6)
      for (const [i, frame] of seen.entries()) assert.deepEqual(again[i].bytes, frame.bytes)
      assert.ok(again[5].body.seq > again[4].body.seq)
      after.close()
    }),
  )

  await checks.check('SIGTERM ends it in time, with idle and half-sent connections open', async () => {
    await withPds({}, async (pds) => {
      const subscriber = await new Subscriber(pds.url).opened()
      const { connect } = await import('node:net')
      const half = connect(pds.port, '127.0.0.1')
      half.on('error', () => {})
      await once(half, 'connect')
      half.write('POST /xrpc/com.atproto.server.createSession HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{')
      const how = await pds.child.end('SIGTERM', 30_000)
      if (ours) assert.equal(how.code, 0)
      half.destroy()
      subscriber.close()
      await pds.start()
    })
  })

  if (!ours) return

  /** Starts with a changed environment that must not work: gives what it printed. */
  async function fails(change) {
    started += 1
    const own = join(folder, `bad${started}`)
    mkdirSync(own)
    const pds = new Pds({ kind: 'arroba', binary: values.binary, folder: own, plcUrl: plc.url, port: await freePort(), extra: change })
    const child = new Child('arroba', values.binary, ['serve'], { env: pds.environment, cwd: own, log: pds.log })
    const timer = setTimeout(() => child.end('SIGKILL').catch(() => {}), 20_000)
    const how = await child.exited
    clearTimeout(timer)
    const said = readFileSync(pds.log, 'utf8')
    assert.notEqual(how.code, 0, `it started with ${JSON.stringify(change)}`)
    assert.equal(how.signal, null, `it neither started nor ended: ${JSON.stringify(change)}\n${said}`)
    assert.ok(!/panicked|RUST_BACKTRACE/.test(said), said)
    return said
  }

  await checks.check('a missing or wrong value is one clear line', async () => {
    for (const [name, value] of [
      ['PDS_JWT_SECRET', null],
      ['PDS_ADMIN_PASSWORD', null],
      ['PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX', null],
      ['PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX', 'zz'],
      ['PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX', '00'.repeat(32)],
      ['PDS_PORT', 'eighty'],
      ['PDS_PORT', '70000'],
      ['PDS_DID_PLC_URL', 'not a url'],
      ['PDS_INVITE_REQUIRED', 'perhaps'],
      ['PDS_BLOB_UPLOAD_LIMIT', '-1'],
      ['PDS_SERVICE_HANDLE_DOMAINS', 'test'],
      ['PDS_REPO_BACKFILL_LIMIT_MS', 'long'],
    ]) {
      const said = await fails({ [name]: value })
      const lines = said.trim().split('\n').filter((line) => line.includes(name))
      assert.equal(lines.length, 1, `${name}=${value}:\n${said}`)
    }
  })

  await checks.check('an unknown PDS_ name is an error with a suggestion', async () => {
    const said = await fails({ PDS_HOSTNAMES: 'localhost' })
    assert.match(said, /PDS_HOSTNAMES/)
    assert.match(said, /PDS_HOSTNAME\b/)
  })

  await checks.check('names that are not served yet give one warning each', () =>
    withPds({ PDS_EMAIL_SMTP_URL: 'smtp://localhost', PDS_EMAIL_FROM_ADDRESS: 'a@example.com', PDS_REPORT_SERVICE_URL: 'http://localhost:1' }, async (pds) => {
      const said = pds.child.text()
      for (const name of ['PDS_EMAIL_SMTP_URL', 'PDS_EMAIL_FROM_ADDRESS', 'PDS_REPORT_SERVICE_URL']) {
        assert.equal(said.split('\n').filter((line) => line.includes(name)).length, 1, `${name}:\n${said.slice(0, 2000)}`)
      }
    }),
  )

  await checks.check('a second server on the same data is refused', () =>
    withPds({}, async (pds) => {
      const twin = new Child('twin', values.binary, ['serve'], { env: { ...pds.environment, PDS_PORT: String(await freePort()) }, cwd: pds.folder, log: join(pds.folder, 'twin.log') })
      const timer = setTimeout(() => twin.end('SIGKILL').catch(() => {}), 20_000)
      const how = await twin.exited
      clearTimeout(timer)
      assert.ok(how.code > 0, `${JSON.stringify(how)} ${twin.text()}`)
      await Actor.create(pds.url, 'still-here')
    }),
  )
})

console.log(`config-on-${values.kind}: ${counts.requests} requests, ${started} servers`)
if (process.env.E2E_KEEP) console.log(`kept: ${folder}`)
await plc.end()
process.exit(passed ? 0 : 1)
