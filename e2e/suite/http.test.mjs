// The HTTP surface around the methods, and bad input.
import { test, describe } from 'node:test'
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { api, base, differ, freshName, kind, newAccount, ok, POST, post, refused } from '../lib/under-test.mjs'
import { request } from '../lib/xrpc.mjs'
import { until } from '../lib/wait.mjs'

const COLLECTION = 'com.example.thing'
const is4xx = (reply, what) => {
  assert.ok(reply.status >= 400 && reply.status < 500, `${what}: ${reply.status} ${reply.text.slice(0, 300)}`)
  assert.equal(typeof reply.error, 'string', `${what}: no error name in ${reply.text.slice(0, 300)}`)
  assert.equal(typeof reply.message, 'string', `${what}: no message in ${reply.text.slice(0, 300)}`)
}

describe('http', () => {
  test('plain routes', async () => {
    const root = ok(await request(`${base}/`))
    assert.match(root.header('content-type'), /^text\/plain/)
    assert.match(root.text, /AT Protocol/)
    assert.match(ok(await request(`${base}/robots.txt`)).text, /User-agent: \*\nAllow: \//)
    assert.equal(typeof ok(await request(`${base}/xrpc/_health`)).body.version, 'string')
    assert.equal((await request(`${base}/nothing/here`)).status, 404)
  })

  test('did.json and tls-check', async () => {
    const rule = 'the service document and tls-check are served by the server itself (the issue, slice 3)'
    if (!differ(rule, { reference: false, arroba: true })) return
    const account = await newAccount()
    const { did } = ok(await api.get('com.atproto.server.describeServer')).body
    const document = ok(await request(`${base}/.well-known/did.json`)).body
    assert.equal(document.id, did)
    assert.ok(document.service.some((service) => service.serviceEndpoint === base))
    ok(await request(`${base}/tls-check?domain=${account.handle}`))
    assert.equal((await request(`${base}/tls-check?domain=${freshName()}.test`)).status, 404)
    is4xx(await request(`${base}/tls-check`), 'no domain')
  })

  test('CORS', async () => {
    const preflight = await request(`${base}/xrpc/com.atproto.repo.createRecord`, {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example.com', 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type,atproto-proxy' },
    })
    assert.ok([200, 204].includes(preflight.status))
    assert.equal(preflight.header('access-control-allow-origin'), '*')
    assert.match(preflight.header('access-control-allow-methods'), /POST|\*/)
    const allowed = preflight.header('access-control-allow-headers')
    for (const name of ['authorization', 'content-type', 'atproto-proxy']) assert.ok(allowed.toLowerCase().includes(name), allowed)
    const headers = { origin: 'https://app.example.com' }
    for (const reply of [await api.get('com.atproto.server.describeServer', {}, { headers }), await api.get('com.atproto.sync.getRepo', {}, { headers }), await api.get('com.example.none', {}, { headers })]) {
      assert.equal(reply.header('access-control-allow-origin'), '*')
    }
  })

  test('wrong verbs and unknown methods', async () => {
    refused(await api.get('com.atproto.repo.createRecord'), 400, 'InvalidRequest', 'Incorrect HTTP method (GET) expected POST')
    refused(await api.post('com.atproto.repo.getRecord', {}), 400, 'InvalidRequest', 'Incorrect HTTP method (POST) expected GET')
    // They go to the app view, and so need a login.
    for (const nsid of ['com.example.nothing', 'app.bsky.feed.getTimeline']) refused(await api.get(nsid), 401, 'AuthMissing')
    const rule = 'methods about this server itself go to nobody else (pitfalls, 49)'
    const own = await api.get('com.atproto.sync.nothing')
    assert.equal(own.status, differ(rule, { reference: 401, arroba: 501 }), own.text)
    is4xxOr501(await api.get('not-an-nsid'))
    is4xxOr501(await api.get('a/b'))
  })

  test('bodies: missing, of the wrong type, unwanted, broken', async () => {
    const account = await newAccount()
    const raw = (text, type = 'application/json', more = {}) => account.api.send('com.atproto.repo.createRecord', text, type, more)
    refused(await account.api.post('com.atproto.repo.createRecord'), 400, 'InvalidRequest')
    refused(await raw('{}', 'text/plain'), 400, 'InvalidRequest', /Wrong request encoding \(Content-Type\): text\/plain/)
    refused(await account.api.send('com.atproto.server.activateAccount', '{}', 'application/json'), 400, 'InvalidRequest', /request body was provided when none was expected/i)
    refused(await raw('{}', 'application/json', { headers: { 'content-encoding': 'x-odd' } }), 415)
    const good = JSON.stringify({ repo: account.did, collection: COLLECTION, record: { n: 1 } })
    ok(await raw(gzipSync(good), 'application/json', { headers: { 'content-encoding': 'gzip' } }))
    ok(await raw(good, 'application/json; charset=utf-8'))
    for (const text of ['{"repo":', '', 'null', '[]', '"x"', '5', '{}', '{"repo":5}', `${good}x`, '\u0000', '{"a":1e999}', '{'.repeat(20000), '['.repeat(20000), `{"repo":"${account.did}","collection":"x","record":{}}`]) {
      is4xx(await raw(text), JSON.stringify(text.slice(0, 60)))
    }
    const notUtf8 = new Uint8Array([...Buffer.from(good.slice(0, -3)), 0xff, ...Buffer.from(good.slice(-3))])
    const reply = await raw(notUtf8)
    if (kind === 'arroba') is4xx(reply, 'bytes that are no UTF-8')
    const lone = await raw(good.replace('"n":1', '"n":"\\ud800"'))
    if (kind === 'arroba') is4xx(lone, 'a lone surrogate')
    const twice = await raw(good.replace('"n":1', '"n":1,"n":2'))
    assert.equal(twice.status, differ('a key given twice is refused (the issue, bad input)', { reference: 200, arroba: 400 }))
  })

  test('bodies: size, counted after decompression', async () => {
    const account = await newAccount()
    const raw = (text, more = {}) => account.api.send('com.atproto.repo.createRecord', text, 'application/json', more)
    const sized = (n) => JSON.stringify({ repo: account.did, collection: COLLECTION, record: { text: 'x'.repeat(n) } })
    ok(await raw(sized(900_000)))
    refused(await raw(sized(1_000_001)), 413)
    const bomb = await raw(gzipSync(sized(30_000_000)), { headers: { 'content-encoding': 'gzip' } })
    assert.equal(bomb.status, 413, bomb.text)
    refused(await api.send('com.atproto.server.createSession', JSON.stringify({ identifier: 'x'.repeat(160_000), password: 'x' }), 'application/json'), 413)
    ok(await account.create(POST, post('still here')))
  })

  test('parameters: missing, malformed, out of bounds', async () => {
    const bad = {
      'com.atproto.sync.getRepo': [{}, { did: 'x' }, { did: '' }, { did: 'did:plc:' }, { did: `did:plc:${'a'.repeat(5000)}` }],
      'com.atproto.sync.getBlob': [{}, { did: 'did:plc:ewvi7nxzyoun6zhxrhs64oiz' }, { did: 'did:plc:ewvi7nxzyoun6zhxrhs64oiz', cid: 'x' }],
      'com.atproto.sync.getBlocks': [{ did: 'did:plc:ewvi7nxzyoun6zhxrhs64oiz' }, { did: 'did:plc:ewvi7nxzyoun6zhxrhs64oiz', cids: ['x'] }],
      'com.atproto.sync.getRecord': [{ did: 'did:plc:ewvi7nxzyoun6zhxrhs64oiz', collection: 'x', rkey: 'y' }, { did: 'did:plc:ewvi7nxzyoun6zhxrhs64oiz', collection: POST, rkey: '..' }],
      'com.atproto.repo.getRecord': [{}, { repo: 'x', collection: POST, rkey: 'y' }, { repo: 'a.test', collection: 'not', rkey: 'y' }, { repo: 'a.test', collection: POST }],
      'com.atproto.repo.listRecords': [{ repo: 'a.test' }, { repo: 'a.test', collection: POST, limit: 'many' }, { repo: 'a.test', collection: POST, reverse: 'perhaps' }],
      'com.atproto.identity.resolveHandle': [{}, { handle: 'x' }, { handle: 'under_score.test' }, { handle: 'a..b' }],
      'com.atproto.sync.listRepos': [{ limit: 0 }, { limit: 100000 }],
    }
    for (const [nsid, list] of Object.entries(bad)) {
      for (const params of list) is4xx(await api.get(nsid, params), `${nsid} ${JSON.stringify(params).slice(0, 100)}`)
    }
    is4xx(await request(`${base}/xrpc/com.atproto.sync.getRepo?did=%ff%fe`), 'bad escapes')
  })

  test('identifiers in bodies', async () => {
    const account = await newAccount()
    const bodies = [
      { repo: 'x', collection: POST, record: post('x') },
      { repo: account.did, collection: 'x', record: post('x') },
      { repo: account.did, collection: 'com.example.Bad_', record: {} },
      { repo: account.did, collection: `com.example.${'a'.repeat(400)}`, record: {} },
      { repo: account.did, collection: COLLECTION, record: {}, swapCommit: 'x' },
      { repo: account.did, collection: COLLECTION, record: {}, rkey: 5 },
      { repo: account.did, collection: COLLECTION, record: {}, validate: 'yes' },
      { repo: account.did, collection: COLLECTION },
    ]
    for (const body of bodies) is4xx(await account.api.post('com.atproto.repo.createRecord', body), JSON.stringify(body).slice(0, 120))
    is4xx(await account.put(COLLECTION, 'a/b', {}), 'rkey with a slash')
    is4xx(await account.put(COLLECTION, undefined, {}), 'no rkey')
    is4xx(await account.delete(COLLECTION, ''), 'empty rkey')
    is4xx(await account.apply('x'), 'writes is no list')
  })

  test('tokens that are none', async () => {
    for (const token of ['', 'a.b', 'a.b.c', '....', 'x'.repeat(10_000), Buffer.from('{}').toString('base64url').concat('.e30.')]) {
      const reply = await api.get('com.atproto.server.getSession', {}, { headers: { authorization: `Bearer ${token}` } })
      is4xx(reply, token.slice(0, 30))
    }
    for (const authorization of ['Bearer', 'Basic !!!', 'Basic YWRtaW4=', 'DPoP x', ' ', 'x'.repeat(4000)]) {
      is4xx(await api.get('com.atproto.server.getSession', {}, { headers: { authorization } }), authorization.slice(0, 30))
    }
  })

  test('a connection that breaks off in the middle of a body changes nothing', async () => {
    const account = await newAccount()
    const before = await account.latest()
    const url = new URL(base)
    const body = JSON.stringify({ repo: account.did, collection: COLLECTION, record: { n: 1 } })
    for (let i = 0; i < 5; i += 1) {
      const socket = connect(Number(url.port), '127.0.0.1')
      await new Promise((resolve) => socket.once('connect', resolve))
      socket.write(`POST /xrpc/com.atproto.repo.createRecord HTTP/1.1\r\nHost: ${url.host}\r\nAuthorization: Bearer ${account.accessJwt}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, body.length - 5)}`)
      await new Promise((resolve) => socket.end(resolve))
      socket.destroy()
    }
    for (const junk of ['GARBAGE\r\n\r\n', '\u0000\u0001\u0002', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(200_000)}\r\n\r\n`]) {
      const socket = connect(Number(url.port), '127.0.0.1')
      socket.on('error', () => {})
      socket.write(junk)
      await until('the server closes', () => socket.destroyed || socket.readableEnded || (socket.resume(), socket.closed), { within: 30_000 })
    }
    assert.deepEqual(await account.latest(), before)
    ok(await account.create(POST, post('still here')))
  })
})

function is4xxOr501(reply) {
  assert.ok((reply.status >= 400 && reply.status < 500) || reply.status === 501, reply.text)
}
