// com.atproto.server.*: accounts and sessions.
import { test, describe } from 'node:test'
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { verifyJwt } from '@atproto/xrpc-server'
import { admin, api, base, blobLimit, differ, freshName, jwtSecret, newAccount, ok, plcData, POST, post, refused, signingKey } from '../lib/under-test.mjs'

const b64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
const claims = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url'))
const header = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[0], 'base64url'))

/** The same token with other claims, signed as the server signs. */
function reSigned(jwt, change) {
  const [head, body, signature] = jwt.split('.')
  const sign = (text) => createHmac('sha256', jwtSecret).update(text).digest('base64url')
  assert.equal(sign(`${head}.${body}`), signature, 'session tokens are HS256 under PDS_JWT_SECRET')
  const changed = `${head}.${b64({ ...claims(jwt), ...change })}`
  return `${changed}.${sign(changed)}`
}

describe('server', () => {
  test('describeServer names the service', async () => {
    const { body } = ok(await api.get('com.atproto.server.describeServer'))
    assert.match(body.did, /^did:web:/)
    assert.deepEqual(body.availableUserDomains, ['.test'])
    assert.equal(body.inviteCodeRequired, false)
    assert.equal(body.blobUploadLimit, blobLimit)
  })

  test('createAccount: reply, identity and directory entry agree', async () => {
    const name = freshName()
    const reply = ok(await api.post('com.atproto.server.createAccount', { handle: `${name.toUpperCase()}.test`, email: `${name}@example.com`, password: 'secret-password' }))
    const { did, handle, accessJwt, refreshJwt, didDoc } = reply.body
    assert.match(did, /^did:plc:[a-z2-7]{24}$/)
    assert.equal(handle, `${name}.test`, 'handles are lower-cased')
    assert.equal(didDoc.id, did)
    assert.deepEqual(didDoc.alsoKnownAs, [`at://${name}.test`])
    const data = await plcData(did)
    assert.deepEqual(data.alsoKnownAs, [`at://${name}.test`])
    assert.deepEqual(data.services.atproto_pds, { type: 'AtprotoPersonalDataServer', endpoint: base })
    assert.match(data.verificationMethods.atproto, /^did:key:z/)
    assert.equal(header(accessJwt).typ, 'at+jwt')
    assert.equal(header(refreshJwt).typ, 'refresh+jwt')
    assert.equal(claims(accessJwt).scope, 'com.atproto.access')
    assert.equal(claims(accessJwt).sub, did)
    assert.equal(claims(refreshJwt).scope, 'com.atproto.refresh')
    assert.ok(claims(refreshJwt).jti)
    const resolved = ok(await api.get('com.atproto.identity.resolveHandle', { handle }))
    assert.equal(resolved.body.did, did)
  })

  test('createAccount: named refusals', async () => {
    const taken = await newAccount()
    const fresh = () => ({ handle: `${freshName()}.test`, email: `${freshName()}@example.com`, password: 'secret-password' })
    const create = (input) => api.post('com.atproto.server.createAccount', { ...fresh(), ...input })
    refused(await create({ handle: taken.handle }), 400, 'InvalidRequest', `Handle already taken: ${taken.handle}`)
    refused(await create({ email: taken.email }), 400, 'InvalidRequest', `Email already taken: ${taken.email}`)
    refused(await create({ email: undefined }), 400, 'InvalidRequest', 'Email is required')
    refused(await create({ handle: 'not a handle' }), 400)
    refused(await create({ handle: 'a.test' }), 400, 'InvalidHandle', /too short/i)
    refused(await create({ handle: `${'a'.repeat(19)}.test` }), 400, 'InvalidHandle', /too long/i)
    refused(await create({ handle: `${freshName()}.sub.test` }), 400, 'InvalidHandle')
    refused(await create({ handle: `${freshName()}.example.com` }), 400, 'UnsupportedDomain')
    refused(await create({ handle: 'admin.test' }), 400, 'HandleNotAvailable', 'Reserved handle')
    refused(await create({ password: 'x'.repeat(257) }), 400, 'InvalidRequest', /password/i)
    refused(await create({ plcOp: {} }), 400, 'InvalidRequest', /plcOp/)
    refused(await create({ did: 'did:plc:ewvi7nxzyoun6zhxrhs64oiz' }), 401, 'AuthenticationRequired', /Missing auth/)
  })

  test('one of two racing createAccounts for a handle wins', async () => {
    const handle = `${freshName()}.test`
    const attempts = await Promise.all(
      [1, 2, 3, 4].map(() => api.post('com.atproto.server.createAccount', { handle, email: `${freshName()}@example.com`, password: 'secret-password' })),
    )
    const won = attempts.filter((reply) => reply.status === 200)
    assert.equal(won.length, 1, attempts.map((reply) => `${reply.status} ${reply.text}`).join('\n'))
    const lost = differ('a race on a handle is a named 4xx, never a 500 (pitfalls: named XRPC errors)', { reference: [400, 500], arroba: [400] })
    for (const reply of attempts) if (reply.status !== 200) assert.ok(lost.includes(reply.status), reply.text)
    assert.equal(ok(await api.get('com.atproto.identity.resolveHandle', { handle })).body.did, won[0].body.did)
  })

  test('createSession by handle, DID and email, in any case', async () => {
    const account = await newAccount()
    for (const identifier of [account.handle, account.handle.toUpperCase(), account.did, account.email, account.email.toUpperCase()]) {
      const { body } = ok(await api.post('com.atproto.server.createSession', { identifier, password: account.password }))
      assert.equal(body.did, account.did)
      assert.equal(body.handle, account.handle)
      assert.equal(body.email, account.email)
      assert.equal(body.emailConfirmed, false)
      assert.equal(body.active, true)
    }
    for (const [identifier, password] of [[account.handle, 'wrong'], ['nobody.test', 'wrong'], ['nobody@example.com', account.password]]) {
      refused(await api.post('com.atproto.server.createSession', { identifier, password }), 401, 'AuthenticationRequired', 'Invalid identifier or password')
    }
  })

  test('getSession', async () => {
    const account = await newAccount()
    const { body } = ok(await account.api.get('com.atproto.server.getSession'))
    assert.equal(body.did, account.did)
    assert.equal(body.handle, account.handle)
    assert.equal(body.email, account.email)
    assert.equal(body.emailConfirmed, false)
    assert.equal(body.active, true)
  })

  test('the authorization header: who gets which error', async () => {
    const account = await newAccount()
    const get = (authorization) => api.get('com.atproto.server.getSession', {}, authorization === undefined ? {} : { headers: { authorization } })
    refused(await get(undefined), 401, 'AuthMissing')
    refused(await get('Bearer garbage'), 400, 'InvalidToken')
    refused(await get(`Bearer ${account.refreshJwt}`), 400, 'InvalidToken')
    refused(await get(`Bearer ${account.accessJwt.slice(0, -6)}aaaaaa`), 400, 'InvalidToken', 'Token could not be verified')
    refused(await get(`Wrong ${account.accessJwt}`), 400, 'InvalidToken', /authorization type/)
    const none = `${b64({ alg: 'none', typ: 'at+jwt' })}.${b64(claims(account.accessJwt))}.`
    refused(await get(`Bearer ${none}`), 400, 'InvalidToken')
    const stranger = reSigned(account.accessJwt, { sub: 'did:plc:ewvi7nxzyoun6zhxrhs64oiz' })
    const reply = await account.api.as(stranger).get('com.atproto.server.checkAccountStatus')
    assert.ok(reply.status >= 400 && reply.status < 500, reply.text)
  })

  test('an expired token is 400 ExpiredToken, which makes clients refresh', async () => {
    const account = await newAccount()
    const past = Math.floor(Date.now() / 1000) - 60
    const access = api.as(reSigned(account.accessJwt, { iat: past - 60, exp: past }))
    refused(await access.get('com.atproto.server.getSession'), 400, 'ExpiredToken', 'Token has expired')
    refused(await access.post('com.atproto.repo.createRecord', { repo: account.did, collection: POST, record: post('late') }), 400, 'ExpiredToken')
    const refresh = api.as(reSigned(account.refreshJwt, { iat: past - 60, exp: past }))
    refused(await refresh.post('com.atproto.server.refreshSession'), 400, 'ExpiredToken')
    ok(await refresh.post('com.atproto.server.deleteSession'))
  })

  test('refreshSession rotates, and a repeat within the grace time gets the same next token', async () => {
    const account = await newAccount()
    const first = ok(await api.as(account.refreshJwt).post('com.atproto.server.refreshSession')).body
    assert.equal(first.did, account.did)
    assert.equal(first.handle, account.handle)
    assert.equal(first.active, true)
    assert.notEqual(claims(first.refreshJwt).jti, claims(account.refreshJwt).jti)
    ok(await api.as(first.accessJwt).get('com.atproto.server.getSession'))
    const again = ok(await api.as(account.refreshJwt).post('com.atproto.server.refreshSession')).body
    assert.equal(claims(again.refreshJwt).jti, claims(first.refreshJwt).jti)
    const raced = await Promise.all([1, 2, 3].map(() => api.as(first.refreshJwt).post('com.atproto.server.refreshSession')))
    const next = new Set(raced.map((reply) => claims(ok(reply).body.refreshJwt).jti))
    assert.equal(next.size, 1, 'concurrent refreshes agree on the next token')
    refused(await api.as(account.accessJwt).post('com.atproto.server.refreshSession'), 400, 'InvalidToken')
  })

  test('deleteSession revokes the refresh token', async () => {
    const account = await newAccount()
    ok(await api.as(account.refreshJwt).post('com.atproto.server.deleteSession'))
    refused(await api.as(account.refreshJwt).post('com.atproto.server.refreshSession'), 400, 'ExpiredToken', 'Token has been revoked')
    ok(await account.api.get('com.atproto.server.getSession'))
  })

  test('getServiceAuth: a token that the published verifier accepts', async () => {
    const account = await newAccount()
    const get = (params) => account.api.get('com.atproto.server.getServiceAuth', params)
    const aud = 'did:web:feed.example.com'
    const lxm = 'app.bsky.feed.getFeedSkeleton'
    const now = Math.floor(Date.now() / 1000)
    const { token } = ok(await get({ aud, lxm })).body
    const key = await signingKey(account.did)
    const payload = await verifyJwt(token, aud, lxm, async () => key)
    assert.equal(payload.iss, account.did)
    assert.ok(payload.exp > now && payload.exp <= now + 300)
    assert.ok(claims(token).jti)
    assert.ok(Math.abs(claims(token).iat - now) < 30)
    const long = ok(await get({ aud, lxm, exp: now + 1800 })).body.token
    assert.equal(claims(long).exp, now + 1800)
    refused(await get({ aud, lxm, exp: now - 1 }), 400, 'BadExpiration')
    refused(await get({ aud, lxm, exp: now + 3700 }), 400, 'BadExpiration')
    refused(await get({ aud, exp: now + 120 }), 400, 'BadExpiration')
    refused(await get({ aud, lxm: 'com.atproto.server.deactivateAccount' }), 400, 'InvalidRequest', /protected method/)
    ok(await get({ aud: `${aud}#svc`, lxm }))
    refused(await api.get('com.atproto.server.getServiceAuth', { aud, lxm }), 401, 'AuthMissing')
  })

  test('checkAccountStatus counts', async () => {
    const account = await newAccount()
    const made = ok(await account.create(POST, post('one'))).body
    const { body } = ok(await account.api.get('com.atproto.server.checkAccountStatus'))
    assert.equal(body.activated, true)
    assert.equal(body.validDid, true)
    assert.equal(body.repoCommit, made.commit.cid)
    assert.equal(body.repoRev, made.commit.rev)
    assert.ok(body.repoBlocks >= 3)
    assert.equal(body.indexedRecords, 1)
    assert.equal(body.expectedBlobs, 0)
    assert.equal(body.importedBlobs, 0)
    assert.equal(body.privateStateValues, 0)
  })

  test('deactivated: writes refused, reads hidden, login and activation work', async () => {
    const account = await newAccount()
    const made = ok(await account.create(POST, post('before'))).body
    ok(await account.api.post('com.atproto.server.deactivateAccount', {}))
    refused(await account.create(POST, post('no')), 401, 'AccountDeactivated')
    refused(await account.put(POST, 'x', post('no')), 401, 'AccountDeactivated')
    refused(await account.delete(POST, 'x'), 401, 'AccountDeactivated')
    refused(await account.apply([]), 401, 'AccountDeactivated')
    for (const nsid of ['getRepo', 'getLatestCommit', 'listBlobs']) {
      refused(await api.get(`com.atproto.sync.${nsid}`, { did: account.did }), 400, 'RepoDeactivated')
    }
    refused(await api.get('com.atproto.repo.describeRepo', { repo: account.did }), 400, 'RepoDeactivated')
    assert.equal((await api.get('com.atproto.repo.listRecords', { repo: account.did, collection: POST })).status, 400)
    assert.equal((await api.get('com.atproto.identity.resolveHandle', { handle: account.handle })).status, 400)
    assert.deepEqual(ok(await api.get('com.atproto.sync.getRepoStatus', { did: account.did })).body, { did: account.did, active: false, status: 'deactivated' })
    ok(await account.api.get('com.atproto.sync.getRepo', { did: account.did }))
    const session = ok(await api.post('com.atproto.server.createSession', { identifier: account.did, password: account.password })).body
    assert.equal(session.active, false)
    assert.equal(session.status, 'deactivated')
    const status = ok(await account.api.get('com.atproto.server.checkAccountStatus')).body
    assert.equal(status.activated, false)
    ok(await account.upload(Buffer.from('while deactivated'), 'text/plain'))
    ok(await account.api.post('com.atproto.server.activateAccount'))
    const read = ok(await api.get('com.atproto.repo.getRecord', { repo: account.did, collection: POST, rkey: made.uri.split('/').pop() }))
    assert.equal(read.body.cid, made.cid)
    ok(await account.create(POST, post('after')))
  })

  test('invite codes are made by the administrator only', async () => {
    const account = await newAccount()
    const { code } = ok(await admin.post('com.atproto.server.createInviteCode', { useCount: 2 })).body
    assert.match(code, /-[a-z2-7]{5}-[a-z2-7]{5}$/)
    const { codes } = ok(await admin.post('com.atproto.server.createInviteCodes', { codeCount: 2, useCount: 1, forAccounts: [account.did] })).body
    assert.equal(codes[0].account, account.did)
    assert.equal(codes[0].codes.length, 2)
    assert.ok((await account.api.post('com.atproto.server.createInviteCode', { useCount: 1 })).status >= 400)
    refused(await api.admin('wrong').post('com.atproto.server.createInviteCode', { useCount: 1 }), 401, 'AuthenticationRequired')
  })
})
