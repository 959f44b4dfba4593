// An account seen from a client, without the environment that the black-box suite needs.
import assert from 'node:assert/strict'
import { Client } from './xrpc.mjs'

export function ok(reply) {
  assert.equal(reply.status, 200, `expected 200, got ${reply.status}: ${reply.text.slice(0, 400)}`)
  return reply.body
}

export class Actor {
  constructor(base, session, password) {
    Object.assign(this, { base, did: session.did, handle: session.handle, password, api: new Client(base).as(session.accessJwt) })
  }

  static async create(base, name, more = {}) {
    const password = 'correct-horse'
    const input = { handle: `${name}.test`, email: `${name}@example.com`, password, ...more.input }
    return new Actor(base, ok(await (more.client ?? new Client(base)).post('com.atproto.server.createAccount', input)), password)
  }

  async call(nsid, input) {
    return ok(await this.api.post(nsid, input))
  }
  put(collection, rkey, record) {
    return this.call('com.atproto.repo.putRecord', { repo: this.did, collection, rkey, record })
  }
  create(collection, record) {
    return this.call('com.atproto.repo.createRecord', { repo: this.did, collection, record })
  }
  delete(collection, rkey) {
    return this.call('com.atproto.repo.deleteRecord', { repo: this.did, collection, rkey })
  }
  apply(writes) {
    return this.call('com.atproto.repo.applyWrites', { repo: this.did, writes })
  }
  async latest() {
    return ok(await new Client(this.base).get('com.atproto.sync.getLatestCommit', { did: this.did }))
  }
  async export() {
    const reply = await new Client(this.base).get('com.atproto.sync.getRepo', { did: this.did })
    assert.equal(reply.status, 200)
    return reply.bytes
  }

  /** Every record by listRecords: Map(path -> cid). */
  async records() {
    const api = new Client(this.base)
    const all = new Map()
    for (const collection of ok(await api.get('com.atproto.repo.describeRepo', { repo: this.did })).collections) {
      let cursor
      do {
        const page = ok(await api.get('com.atproto.repo.listRecords', { repo: this.did, collection, limit: 100, cursor }))
        for (const record of page.records) all.set(`${collection}/${record.uri.split('/').pop()}`, record.cid)
        cursor = page.cursor
      } while (cursor !== undefined)
    }
    return all
  }
}

/** A repeatable stream of numbers, so that a failing run can be run again. */
export function random(seed) {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  return { below: (n) => Math.floor(next() * n), pick: (list) => list[Math.floor(next() * list.length)] }
}
