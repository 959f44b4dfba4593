// The production relay and tap as child processes, and what their logs and databases say.
import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Child, freePort } from '../lib/process.mjs'
import { tools } from '../lib/servers.mjs'
import { until } from '../lib/wait.mjs'
import { Client, request } from '../lib/xrpc.mjs'

export class Relay {
  constructor(folder, plcUrl) {
    Object.assign(this, { folder, plcUrl, database: join(folder, 'relay.sqlite'), log: join(folder, 'relay.log') })
  }

  async launch() {
    this.child = new Child(
      'relay',
      join(tools, 'bin/relay'),
      ['serve', '--db-url', `sqlite://${this.database}`, '--bind', `127.0.0.1:${this.port}`, '--metrics-listen', `127.0.0.1:${this.metricsPort}`, '--persist-dir', join(this.folder, 'persist'), '--allow-insecure-hosts', '--default-account-limit', '100000'],
      { env: { RELAY_ADMIN_PASSWORD: 'relay-pw', RELAY_PLC_HOST: this.plcUrl }, cwd: this.folder, log: this.log },
    )
    await until('the relay answers', async () => {
      this.child.assertRunning()
      return (await request(`${this.url}/xrpc/_health`)).status === 200
    })
  }

  /** Its HTTP interface takes public hosts only, so the host goes into the database between two starts. */
  async start(host) {
    this.port = await freePort()
    this.metricsPort = await freePort()
    this.url = `http://127.0.0.1:${this.port}`
    this.api = new Client(this.url)
    await this.launch()
    await this.child.end()
    const db = new DatabaseSync(this.database)
    db.prepare(`insert into host(created_at, updated_at, hostname, no_ssl, account_limit, trusted, status, last_seq) values (datetime(), datetime(), ?, 1, 100000, 1, 'active', 0)`).run(host)
    db.close()
    await this.launch()
  }

  async restart() {
    await this.child.end()
    await this.launch()
  }

  async metrics() {
    const { text } = await request(`http://127.0.0.1:${this.metricsPort}/metrics`)
    const sums = {}
    for (const line of text.split('\n')) {
      const found = /^([a-z_]+)(?:\{.*\})? ([0-9.e+]+)$/.exec(line)
      if (found) sums[found[1]] = (sums[found[1]] ?? 0) + Number(found[2])
    }
    return sums
  }

  async head(did) {
    const reply = await this.api.get('com.atproto.sync.getLatestCommit', { did })
    return reply.status === 200 ? reply.body : { error: reply.text }
  }

  async status(did) {
    return (await this.api.get('com.atproto.sync.getRepoStatus', { did })).body
  }

  lines() {
    return logLines(this.child)
  }
}

export class Tap {
  constructor(folder, plcUrl, relayUrl) {
    Object.assign(this, { folder, plcUrl, relayUrl, database: join(folder, 'tap.sqlite') })
  }

  async start() {
    this.port = await freePort()
    this.child = new Child(
      'tap',
      join(tools, 'bin/tap'),
      ['run', '--db-url', `sqlite://${this.database}`, '--bind', `127.0.0.1:${this.port}`, '--plc-url', this.plcUrl, '--relay-url', this.relayUrl, '--full-network', '--disable-acks', '--cursor-save-interval', '200ms'],
      { cwd: this.folder, log: join(this.folder, 'tap.log') },
    )
    await until('tap answers', async () => {
      this.child.assertRunning()
      return (await request(`http://127.0.0.1:${this.port}/health`)).status === 200
    })
  }

  query(sql, ...parameters) {
    assert.ok(existsSync(this.database))
    const db = new DatabaseSync(this.database, { readOnly: true })
    try {
      db.exec('pragma busy_timeout = 5000')
      return db.prepare(sql).all(...parameters)
    } finally {
      db.close()
    }
  }

  repo(did) {
    return this.query('select * from repos where did = ?', did)[0]
  }

  records(did) {
    return new Map(this.query('select collection, rkey, cid from repo_records where did = ?', did).map((row) => [`${row.collection}/${row.rkey}`, row.cid]))
  }

  lines() {
    return logLines(this.child)
  }
}

function logLines(child) {
  return child
    .text()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
}

/** What the relay logs when it refuses or doubts an event. */
export const refusals = [
  'commit message failed verification',
  'failed handling event',
  'dropping commit with old rev',
  'got events out of order from stream',
  'dropping message for inactive account',
  'commit with miss-matching prevData',
  'commit with miss-matching since',
  'failed to invert commit MST',
  'invalid account event',
  'skipping commit signature validation',
  "can't invert legacy op",
  'allowing commit message which failed strict validation',
  'invalid DID in message',
  'ignoring account host mismatch',
  'failed to load identity',
  'error event from upstream',
  'dropping connection to host due to future cursor',
]
export const reconnect = 'host connection failed'
export const tapRefusals = ['failed to parse operations', 'repo state desynchronized', 'resync failed', 'invalid record path', 'failed to get block', 'failed to get record bytes', 'failed to unmarshal record', 'failed to drain resync buffer events']
