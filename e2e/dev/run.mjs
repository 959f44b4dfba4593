// What a person types: `arroba dev` and the curl lines that it prints, and the tools on a server, a store and a CAR file.
//   node dev/run.mjs --kind arroba --binary PATH
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Actor, ok } from '../lib/actor.mjs'
import { Checks } from '../lib/checks.mjs'
import { baseEnvironment, Child } from '../lib/process.mjs'
import { Pds, startPlc, temporaryFolder } from '../lib/servers.mjs'
import { until } from '../lib/wait.mjs'
import { Client, counts } from '../lib/xrpc.mjs'

const { values } = parseArgs({ options: { kind: { type: 'string' }, binary: { type: 'string' } } })
assert.equal(values.kind, 'arroba', 'only our binary has these commands')
const folder = temporaryFolder('dev')
const plc = await startPlc(folder)

/** Runs a command to its end: { code, out, err }. */
function run(command, args, env = {}) {
  return new Promise((resolve) => {
    execFile(command, args, { env: { ...baseEnvironment(), ...env }, cwd: folder, timeout: 60_000, maxBuffer: 64 * 1024 * 1024 }, (error, out, err) => resolve({ code: error ? (error.code ?? error.signal) : 0, out, err }))
  })
}
const lines = (text) => text.split('\n').filter((line) => line.trim() !== '')
const json = (text) => lines(text).map((line) => JSON.parse(line))

const checks = new Checks('commands')
const passed = await checks.run(async () => {
  await checks.check('arroba dev: the printed curl lines work when pasted', async () => {
    const dev = new Child('dev', values.binary, ['dev', '--port', '0', '--plc-port', '0', '--data', join(folder, 'dev')], { cwd: folder, log: join(folder, 'dev.log') })
    const curls = await until('two curl lines', () => {
      dev.assertRunning()
      const found = dev.text().match(/^[ \t]*curl (?:[^\n]*\\\n)*[^\n]*\S[^\n]*$/gm) ?? []
      return found.length >= 2 && found
    }, { within: 60_000 })
    for (const curl of curls) {
      const { code, out, err } = await run('bash', ['-c', curl])
      assert.equal(code, 0, `${curl}\n${out}${err}`)
      const reply = JSON.parse(out)
      assert.equal(reply.error, undefined, `${curl}\n${out}`)
    }
    const url = /http:\/\/localhost:\d+/.exec(dev.text())[0]
    ok(await new Client(url).get('com.atproto.server.describeServer'))
    const how = await dev.end('SIGINT')
    assert.equal(how.code, 0, 'Ctrl-C ends it')
    const again = new Child('dev', values.binary, ['dev', '--port', '0', '--plc-port', '0', '--data', join(folder, 'dev')], { cwd: folder, log: join(folder, 'dev2.log') })
    await until('it starts again on its data', () => {
      again.assertRunning()
      return (again.text().match(/^[ \t]*curl /gm) ?? []).length >= 2
    }, { within: 60_000 })
    assert.equal((await again.end('SIGTERM')).code, 0)
  })

  const pds = await Pds.start({ kind: 'arroba', binary: values.binary, folder, plcUrl: plc.url })
  const arroba = (...args) => run(values.binary, args, pds.environment)
  const fine = async (...args) => {
    const result = await arroba(...args)
    assert.equal(result.code, 0, `arroba ${args.join(' ')}: ${JSON.stringify(result)}`)
    return result.out
  }

  await checks.check('serve --check says what a configuration means', async () => {
    await fine('serve', '--check')
  })

  await checks.check('account create, list, delete through the running server', async () => {
    const made = json(await fine('account', 'create', 'carol.test', '--email', 'carol@example.com', '--json'))[0]
    assert.match(made.did, /^did:plc:/)
    const session = ok(await new Client(pds.url).post('com.atproto.server.createSession', { identifier: 'carol.test', password: made.password }))
    assert.equal(session.did, made.did)
    assert.ok(json(await fine('account', 'list', '--json')).some((row) => row.did === made.did && row.handle === 'carol.test' && row.status === 'active'))
    await fine('account', 'delete', 'carol.test', '--yes', '--json')
    const gone = json(await fine('account', 'list', '--json')).find((row) => row.did === made.did)
    assert.ok(gone === undefined || gone.status === 'deleted')
    assert.notEqual((await arroba('account', 'create', 'admin.test', '--email', 'x@example.com')).code, 0)
    assert.notEqual((await arroba('account', 'delete', 'nobody.test', '--yes')).code, 0)
  })

  const actor = await Actor.create(pds.url, 'dora')
  for (let i = 0; i < 30; i += 1) await actor.create(i % 2 ? 'com.example.thing' : 'app.bsky.feed.post', i % 2 ? { i } : { text: `number ${i}`, createdAt: new Date().toISOString() })
  const car = join(folder, 'dora.car')

  await checks.check('repo verify, ls, get, export, tree', async () => {
    const key = ok(await actor.api.get('com.atproto.identity.getRecommendedDidCredentials')).verificationMethods.atproto
    await fine('repo', 'export', actor.did, car, '--server', pds.url)
    await fine('repo', 'verify', car, '--key', key)
    assert.notEqual((await arroba('repo', 'verify', car, '--key', 'did:key:zQ3shZc2QzApp2oymGvQbzP8eKheVshBHbU4ZYjeXqwSKEn6N')).code, 0)
    const listed = await fine('repo', 'ls', car)
    assert.equal(lines(listed).length, 30)
    const [path, cid] = lines(listed)[0].split(/\s+/)
    assert.equal((await actor.records()).get(path), cid)
    assert.equal(lines(await fine('repo', 'ls', car, '--collection', 'com.example.thing')).length, 15)
    assert.equal(JSON.parse(await fine('repo', 'get', car, path)).$type, path.split('/')[0])
    for (const format of ['text', 'dot', 'svg']) assert.ok((await fine('repo', 'tree', car, '--format', format)).length > 100)
    const broken = join(folder, 'broken.car')
    const bytes = Buffer.from(await actor.export())
    bytes[bytes.length - 10] ^= 1
    writeFileSync(broken, bytes)
    const refused = await arroba('repo', 'verify', broken)
    assert.notEqual(refused.code, 0)
    assert.ok(!refused.err.includes('panicked'))
    for (const file of ['absent.car', pds.log]) assert.notEqual((await arroba('repo', 'verify', file)).code, 0)
  })

  await checks.check('firehose tail --verify', async () => {
    const out = await fine('firehose', 'tail', pds.url, '--cursor', '0', '--verify', '--plc', plc.url, '--count', '25', '--json')
    const events = json(lines(out).slice(0, 25).join('\n'))
    assert.equal(events.length, 25)
    assert.notEqual((await arroba('firehose', 'tail', 'http://localhost:1')).code, 0)
  })

  await checks.check('identity resolve', async () => {
    const out = await fine('identity', 'resolve', actor.did, '--plc', plc.url, '--allow-loopback', '--json')
    assert.ok(out.includes(pds.url))
  })

  await checks.check('key new', async () => {
    for (const curve of ['k256', 'p256']) {
      const key = json(await fine('key', 'new', '--curve', curve, '--json'))[0]
      assert.match(key.privateKeyHex, /^[0-9a-f]{64}$/)
      assert.match(key.didKey, curve === 'k256' ? /^did:key:zQ3s/ : /^did:key:zDn/)
    }
  })

  await checks.check('repo commands on the store of a stopped server', async () => {
    const records = await actor.records()
    const head = await actor.latest()
    await pds.stop()
    const data = pds.environment.PDS_DATA_DIRECTORY
    assert.equal(lines(await fine('repo', 'ls', actor.did, '--data', data)).length, 30)
    await fine('repo', 'verify', actor.did, '--data', data)
    await fine('repo', 'import', actor.did, car)
    await pds.start()
    assert.deepEqual(await actor.records(), records)
    assert.notEqual((await actor.latest()).rev, undefined)
    assert.ok((await actor.latest()).rev >= head.rev)
    await actor.create('com.example.thing', { after: 'import' })
  })

  await checks.check('secrets stay secret', async () => {
    const said = pds.child.text()
    for (const name of ['PDS_JWT_SECRET', 'PDS_ADMIN_PASSWORD', 'PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX']) assert.ok(!said.includes(pds.environment[name]), `${name} is in the log`)
    assert.ok(!said.includes('correct-horse'))
    assert.ok(readdirSync(pds.environment.PDS_DATA_DIRECTORY).length > 0)
  })

  await pds.stop()
})

console.log(`commands: ${counts.requests} requests`)
if (process.env.E2E_KEEP) console.log(`kept: ${folder}`)
await plc.end()
process.exit(passed ? 0 : 1)
