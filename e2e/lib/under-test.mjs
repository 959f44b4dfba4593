// The server under test, named by the environment that e2e/run sets.
import { randomBytes } from 'node:crypto'
import assert from 'node:assert/strict'
import { crc32, deflateSync } from 'node:zlib'
import { Client, request } from './xrpc.mjs'

function need(name) {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set: start the suite through e2e/run`)
  return value
}

export const base = need('E2E_URL')
export const kind = need('E2E_KIND')
export const plcUrl = need('E2E_PLC_URL')
export const adminPassword = need('E2E_ADMIN_PASSWORD')
export const jwtSecret = need('E2E_JWT_SECRET')
export const blobLimit = Number(need('E2E_BLOB_LIMIT'))
assert.ok(['reference', 'arroba'].includes(kind), `unknown kind ${kind}`)

export const api = new Client(base)
export const admin = api.admin(adminPassword)

export const differences = []

/** An expectation that depends on the server, with the rule that decides what ours does. */
export function differ(rule, { reference, arroba }) {
  differences.push(rule)
  return kind === 'reference' ? reference : arroba
}

let counter = 0
export function freshName() {
  counter += 1
  return `u${randomBytes(4).toString('hex')}${counter}`
}

export class Account {
  constructor({ did, handle, email, password, accessJwt, refreshJwt }) {
    Object.assign(this, { did, handle, email, password, refreshJwt })
    this.use(accessJwt)
  }
  use(accessJwt) {
    this.accessJwt = accessJwt
    this.api = api.as(accessJwt)
  }
  create(collection, record, more = {}) {
    return this.api.post('com.atproto.repo.createRecord', { repo: this.did, collection, record, ...more })
  }
  put(collection, rkey, record, more = {}) {
    return this.api.post('com.atproto.repo.putRecord', { repo: this.did, collection, rkey, record, ...more })
  }
  delete(collection, rkey, more = {}) {
    return this.api.post('com.atproto.repo.deleteRecord', { repo: this.did, collection, rkey, ...more })
  }
  apply(writes, more = {}) {
    return this.api.post('com.atproto.repo.applyWrites', { repo: this.did, writes, ...more })
  }
  upload(bytes, type) {
    return this.api.send('com.atproto.repo.uploadBlob', bytes, type)
  }
  async latest() {
    return ok(await api.get('com.atproto.sync.getLatestCommit', { did: this.did })).body
  }
}

export async function newAccount(options = {}) {
  const name = freshName()
  const handle = options.handle ?? `${name}.test`
  const email = options.email ?? `${name}@example.com`
  const password = options.password ?? 'correct-horse'
  const reply = ok(await api.post('com.atproto.server.createAccount', { handle, email, password }))
  return new Account({ ...reply.body, email, password })
}

export function ok(reply) {
  assert.equal(reply.status, 200, `expected 200, got ${reply.status}: ${reply.text.slice(0, 400)}`)
  return reply
}

/** Asserts a named error. `message` may be a string or a pattern. */
export function refused(reply, status, error, message) {
  const seen = `${reply.status} ${reply.text.slice(0, 400)}`
  assert.equal(reply.status, status, `expected ${status} ${error}, got ${seen}`)
  if (error !== undefined) assert.equal(reply.error, error, `expected error ${error}, got ${seen}`)
  assert.equal(typeof reply.message, 'string', `no message in ${seen}`)
  if (message instanceof RegExp) assert.match(reply.message, message)
  else if (message !== undefined) assert.equal(reply.message, message)
  return reply
}

export async function plcData(did) {
  return ok(await request(`${plcUrl}/${did}/data`)).body
}

export async function signingKey(did) {
  return (await plcData(did)).verificationMethods.atproto
}

export const POST = 'app.bsky.feed.post'
export const LIKE = 'app.bsky.feed.like'
export const PROFILE = 'app.bsky.actor.profile'
export const post = (text, more = {}) => ({ $type: POST, text, createdAt: new Date().toISOString(), ...more })

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type), data])
  const head = Buffer.alloc(4)
  head.writeUInt32BE(data.length)
  const tail = Buffer.alloc(4)
  tail.writeUInt32BE(crc32(body))
  return Buffer.concat([head, body, tail])
}

/** A valid 1x1 PNG; each has another comment, so each is another blob. */
export function png(salt = randomBytes(8).toString('hex')) {
  return new Uint8Array(
    Buffer.concat([
      Buffer.from('89504e470d0a1a0a', 'hex'),
      chunk('IHDR', Buffer.from('00000001000000010806000000', 'hex')),
      chunk('tEXt', Buffer.from(`Comment\0${salt}`)),
      chunk('IDAT', deflateSync(Buffer.from([0, 255, 0, 0, 255]))),
      chunk('IEND', Buffer.alloc(0)),
    ]),
  )
}
