// com.atproto.repo.*: records.
import { test, describe } from 'node:test'
import assert from 'node:assert/strict'
import { api, differ, LIKE, newAccount, ok, POST, post, PROFILE, refused } from '../lib/under-test.mjs'

const rkeyOf = (uri) => uri.split('/').pop()
const get = (account, collection, rkey, more = {}) => api.get('com.atproto.repo.getRecord', { repo: account.did, collection, rkey, ...more })
const list = (account, collection, more = {}) => api.get('com.atproto.repo.listRecords', { repo: account.did, collection, ...more })
const COLLECTION = 'com.example.thing'

describe('records', () => {
  test('createRecord, getRecord by DID and handle', async () => {
    const account = await newAccount()
    const record = post('hello', { langs: ['en'], extra: { unknown: ['kept', 1, null, true] } })
    const { body } = ok(await account.create(POST, record))
    assert.match(body.uri, new RegExp(`^at://${account.did}/${POST}/[2-7a-z]{13}$`))
    assert.equal(body.validationStatus, 'valid')
    const latest = await account.latest()
    assert.deepEqual(body.commit, latest)
    for (const repo of [account.did, account.handle]) {
      const read = ok(await get(account, POST, rkeyOf(body.uri), { repo })).body
      assert.deepEqual(read, { uri: body.uri, cid: body.cid, value: record })
    }
    const byHandle = ok(await account.create(POST, post('by handle'), { repo: account.handle })).body
    assert.ok(byHandle.uri.startsWith(`at://${account.did}/`))
  })

  test('getRecord: a missing record has the message that clients match', async () => {
    const account = await newAccount()
    const uri = `at://${account.did}/${POST}/3kabcabcabc2a`
    refused(await get(account, POST, '3kabcabcabc2a'), 400, 'RecordNotFound', `Could not locate record: ${uri}`)
    const made = ok(await account.create(POST, post('x'))).body
    refused(await get(account, POST, rkeyOf(made.uri), { cid: 'bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454' }), 400, 'RecordNotFound')
    ok(await get(account, POST, rkeyOf(made.uri), { cid: made.cid }))
  })

  test('a write to another repo or without authority is refused', async () => {
    const [alice, bob] = [await newAccount(), await newAccount()]
    const body = { repo: bob.did, collection: POST, record: post('not mine') }
    refused(await alice.api.post('com.atproto.repo.createRecord', body), 401, 'AuthenticationRequired')
    refused(await alice.api.post('com.atproto.repo.putRecord', { ...body, rkey: 'x' }), 401, 'AuthenticationRequired')
    refused(await alice.api.post('com.atproto.repo.deleteRecord', { repo: bob.did, collection: POST, rkey: 'x' }), 401, 'AuthenticationRequired')
    refused(await alice.api.post('com.atproto.repo.applyWrites', { repo: bob.did, writes: [] }), 401, 'AuthenticationRequired')
    refused(await api.post('com.atproto.repo.createRecord', body), 401, 'AuthMissing')
    refused(await alice.create(POST, post('x'), { repo: 'nobody.test' }), 403, 'AccountNotFound')
  })

  test('createRecord: rkeys', async () => {
    const account = await newAccount()
    for (const rkey of ['self', 'a', 'a:b~c_d-e.f', 'x'.repeat(512)]) {
      const { body } = ok(await account.create(COLLECTION, { n: 1 }, { rkey }))
      assert.equal(body.uri, `at://${account.did}/${COLLECTION}/${rkey}`)
      ok(await get(account, COLLECTION, rkey))
    }
    for (const rkey of ['.', '..', 'a/b', 'a b', '', 'x'.repeat(513), 'ü']) {
      refused(await account.create(COLLECTION, { n: 1 }, { rkey }), 400, 'InvalidRequest')
    }
    refused(await account.create(POST, post('x'), { rkey: 'not-a-tid' }), 400, 'InvalidRequest', /record key/i)
    refused(await account.create(PROFILE, { $type: PROFILE }, { rkey: '3kabcabcabc2a' }), 400, 'InvalidRequest', /record key/i)
    ok(await account.create(PROFILE, { $type: PROFILE }, { rkey: 'self' }))
  })

  test('createRecord over an existing rkey changes nothing', async () => {
    const account = await newAccount()
    ok(await account.create(COLLECTION, { n: 1 }, { rkey: 'one' }))
    const before = await account.latest()
    const status = differ('create over an existing rkey is 400 InvalidRequest, never a 500 (spec: repo.createRecord)', { reference: 500, arroba: 400 })
    const error = differ('create over an existing rkey is 400 InvalidRequest, never a 500 (spec: repo.createRecord)', { reference: 'InternalServerError', arroba: 'InvalidRequest' })
    refused(await account.create(COLLECTION, { n: 2 }, { rkey: 'one' }), status, error)
    refused(await account.create(COLLECTION, { n: 1 }, { rkey: 'one' }), status, error)
    const twice = [1, 2].map((n) => ({ $type: 'com.atproto.repo.applyWrites#create', collection: COLLECTION, rkey: 'two', value: { n } }))
    refused(await account.apply(twice), status, error)
    assert.deepEqual(await account.latest(), before)
  })

  test('$type is filled in, and must match', async () => {
    const account = await newAccount()
    const { body } = ok(await account.create(COLLECTION, { n: 1 }))
    assert.deepEqual(ok(await get(account, COLLECTION, rkeyOf(body.uri))).body.value, { $type: COLLECTION, n: 1 })
    refused(await account.create(COLLECTION, { $type: 'com.example.other', n: 1 }), 400, 'InvalidRequest', `Invalid $type: expected ${COLLECTION}, got com.example.other`)
    refused(await account.create(COLLECTION, { $type: 'com.example.other', n: 1 }, { validate: false }), 400, 'InvalidRequest')
  })

  test('validate: absent, true and false', async () => {
    const account = await newAccount()
    const bad = { $type: POST, text: 5, createdAt: 'yesterday' }
    assert.equal(ok(await account.create(POST, post('a'))).body.validationStatus, 'valid')
    assert.equal(ok(await account.create(POST, post('b'), { validate: true })).body.validationStatus, 'valid')
    assert.equal(ok(await account.create(POST, post('c'), { validate: false })).body.validationStatus, undefined)
    assert.equal(ok(await account.create(COLLECTION, { n: 1 })).body.validationStatus, 'unknown')
    assert.equal(ok(await account.create(COLLECTION, { n: 2 }, { validate: false })).body.validationStatus, undefined)
    refused(await account.create(COLLECTION, { n: 3 }, { validate: true }), 400, 'InvalidRequest', `Unknown lexicon type: ${COLLECTION}`)
    refused(await account.create(POST, bad), 400, 'InvalidRequest', new RegExp(`^Invalid ${POST} record`))
    refused(await account.create(POST, bad, { validate: true }), 400, 'InvalidRequest')
    ok(await account.create(POST, bad, { validate: false }))
    const writes = [
      { $type: 'com.atproto.repo.applyWrites#create', collection: POST, value: post('d') },
      { $type: 'com.atproto.repo.applyWrites#create', collection: COLLECTION, value: { n: 4 } },
    ]
    const { results } = ok(await account.apply(writes)).body
    assert.deepEqual(results.map((result) => result.validationStatus), ['valid', 'unknown'])
  })

  test('records of known types: strings are checked by their formats', async () => {
    const account = await newAccount()
    const bad = [
      { createdAt: '2024-01-01' },
      { langs: ['not a language!'] },
      { text: 'x'.repeat(3001) },
      { text: 'x'.repeat(301) },
      { facets: [{ index: { byteStart: -1, byteEnd: 2 }, features: [] }] },
      { reply: { root: { uri: 'at://x', cid: 'y' }, parent: { uri: 'at://x', cid: 'y' } } },
    ]
    for (const part of bad) refused(await account.create(POST, { ...post('x'), ...part }), 400, 'InvalidRequest')
    ok(await account.create(POST, post('x'.repeat(300))))
    ok(await account.create(POST, post('👨‍👩‍👧‍👧'.repeat(110))))
  })

  test('what the data model cannot hold is refused even unvalidated', async () => {
    const account = await newAccount()
    for (const value of [{ n: 1.5 }, { blob: { cid: 'bafkreiaehzgxcaxuppclr2yymtc4pchj3ctyasqx3jtrqxg3kxy2rgvqzm', mimeType: 'image/png' } }]) {
      refused(await account.create(COLLECTION, value, { validate: false }), 400, 'InvalidRequest')
    }
    for (const text of ['{"repo":"@","collection":"com.example.thing","record":5}', '{"repo":"@","collection":"com.example.thing","record":[1]}', '{"repo":"@","collection":"com.example.thing","record":"s"}']) {
      refused(await account.api.send('com.atproto.repo.createRecord', text.replace('@', account.did), 'application/json'), 400, 'InvalidRequest')
    }
    const deep = `{"repo":"${account.did}","collection":"${COLLECTION}","record":{"a":${'['.repeat(5000)}${']'.repeat(5000)}}}`
    refused(await account.api.send('com.atproto.repo.createRecord', deep, 'application/json'), 400, 'InvalidRequest')
    const wide = `{"repo":"${account.did}","collection":"${COLLECTION}","record":{"n":12345678901234567890123}}`
    const status = differ('an integer out of the 64-bit range is 400 InvalidRequest, never a 500 (data model)', { reference: 500, arroba: 400 })
    refused(await account.api.send('com.atproto.repo.createRecord', wide, 'application/json'), status)
  })

  test('links, bytes and large integers survive', async () => {
    const account = await newAccount()
    const value = {
      $type: COLLECTION,
      link: { $link: 'bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454' },
      bytes: { $bytes: 'AQIDBA' },
      most: Number.MAX_SAFE_INTEGER,
      least: Number.MIN_SAFE_INTEGER,
      text: 'naïve \u{1F600} \u0000 "\\/',
      nested: { list: [[], {}, null, false] },
    }
    const { body } = ok(await account.create(COLLECTION, value))
    assert.deepEqual(ok(await get(account, COLLECTION, rkeyOf(body.uri))).body.value, value)
  })

  test('putRecord creates, updates, and does nothing when nothing changes', async () => {
    const account = await newAccount()
    const first = ok(await account.put(COLLECTION, 'k', { n: 1 })).body
    assert.equal(first.uri, `at://${account.did}/${COLLECTION}/k`)
    assert.ok(first.commit)
    const second = ok(await account.put(COLLECTION, 'k', { n: 2 })).body
    assert.notEqual(second.cid, first.cid)
    assert.ok(second.commit.rev > first.commit.rev)
    const same = ok(await account.put(COLLECTION, 'k', { n: 2 })).body
    assert.equal(same.cid, second.cid)
    assert.equal(same.commit, undefined)
    assert.deepEqual(await account.latest(), second.commit)
  })

  test('deleteRecord, and deleting what is not there', async () => {
    const account = await newAccount()
    ok(await account.put(COLLECTION, 'k', { n: 1 }))
    const gone = ok(await account.delete(COLLECTION, 'k')).body
    assert.deepEqual(gone.commit, await account.latest())
    refused(await get(account, COLLECTION, 'k'), 400, 'RecordNotFound')
    const before = await account.latest()
    const again = ok(await account.delete(COLLECTION, 'k')).body
    assert.equal(again?.commit, undefined)
    assert.deepEqual(await account.latest(), before)
  })

  test('swapCommit on every write method', async () => {
    const account = await newAccount()
    const { commit } = ok(await account.put(COLLECTION, 'k', { n: 1 })).body
    const stale = (await newAccount()).latest()
    const swapCommit = (await stale).cid
    const message = `Commit was at ${commit.cid}`
    refused(await account.create(COLLECTION, { n: 2 }, { swapCommit }), 400, 'InvalidSwap', message)
    refused(await account.put(COLLECTION, 'k', { n: 2 }, { swapCommit }), 400, 'InvalidSwap', message)
    refused(await account.delete(COLLECTION, 'k', { swapCommit }), 400, 'InvalidSwap', message)
    refused(await account.apply([{ $type: 'com.atproto.repo.applyWrites#delete', collection: COLLECTION, rkey: 'k' }], { swapCommit }), 400, 'InvalidSwap', message)
    assert.deepEqual(await account.latest(), commit)
    const next = ok(await account.put(COLLECTION, 'k', { n: 2 }, { swapCommit: commit.cid })).body.commit
    ok(await account.delete(COLLECTION, 'k', { swapCommit: next.cid }))
  })

  test('swapRecord: a CID must match, null means absent', async () => {
    const account = await newAccount()
    const first = ok(await account.put(COLLECTION, 'k', { n: 1 }, { swapRecord: null })).body
    refused(await account.put(COLLECTION, 'k', { n: 2 }, { swapRecord: null }), 400, 'InvalidSwap', `Record was at ${first.cid}`)
    const other = 'bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454'
    refused(await account.put(COLLECTION, 'k', { n: 2 }, { swapRecord: other }), 400, 'InvalidSwap')
    refused(await account.put(COLLECTION, 'absent', { n: 2 }, { swapRecord: other }), 400, 'InvalidSwap', 'Record was at null')
    ok(await account.put(COLLECTION, 'elsewhere', { n: 9 }))
    const second = ok(await account.put(COLLECTION, 'k', { n: 2 }, { swapRecord: first.cid })).body
    refused(await account.delete(COLLECTION, 'k', { swapRecord: first.cid }), 400, 'InvalidSwap', `Record was at ${second.cid}`)
    ok(await account.delete(COLLECTION, 'k', { swapRecord: second.cid }))
  })

  test('swaps and writes that change nothing', async () => {
    const account = await newAccount()
    ok(await account.put(COLLECTION, 'k', { n: 1 }))
    const other = 'bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454'
    const rule = 'a swap that does not hold fails, also for a write that would change nothing (reference-pds 11.2 lists the skipped check as a gap)'
    const status = differ(rule, { reference: 200, arroba: 400 })
    const replies = [
      await account.put(COLLECTION, 'k', { n: 1 }, { swapRecord: other }),
      await account.put(COLLECTION, 'k', { n: 1 }, { swapCommit: other }),
      await account.delete(COLLECTION, 'absent', { swapCommit: other }),
    ]
    for (const reply of replies) {
      assert.equal(reply.status, status, reply.text)
      if (status === 400) assert.equal(reply.error, 'InvalidSwap')
    }
  })

  test('applyWrites: results in the order asked, one commit', async () => {
    const account = await newAccount()
    ok(await account.put(COLLECTION, 'old', { n: 0 }))
    ok(await account.put(COLLECTION, 'gone', { n: 0 }))
    const { body } = ok(
      await account.apply([
        { $type: 'com.atproto.repo.applyWrites#create', collection: COLLECTION, rkey: 'z', value: { n: 1 } },
        { $type: 'com.atproto.repo.applyWrites#delete', collection: COLLECTION, rkey: 'gone' },
        { $type: 'com.atproto.repo.applyWrites#update', collection: COLLECTION, rkey: 'old', value: { n: 2 } },
        { $type: 'com.atproto.repo.applyWrites#create', collection: COLLECTION, value: { n: 3 } },
      ]),
    )
    assert.deepEqual(body.results.map((result) => result.$type.split('#')[1]), ['createResult', 'deleteResult', 'updateResult', 'createResult'])
    assert.equal(body.results[0].uri, `at://${account.did}/${COLLECTION}/z`)
    assert.equal(body.results[2].cid, ok(await get(account, COLLECTION, 'old')).body.cid)
    assert.deepEqual(body.commit, await account.latest())
    assert.deepEqual(ok(await list(account, COLLECTION)).body.records.length, 3)
  })

  test('applyWrites: a failing write undoes the batch', async () => {
    const account = await newAccount()
    const before = await account.latest()
    const good = { $type: 'com.atproto.repo.applyWrites#create', collection: COLLECTION, rkey: 'good', value: { n: 1 } }
    const rule = 'update of a missing record is 400 InvalidRequest, never a 500 (pitfalls: named XRPC errors)'
    refused(await account.apply([good, { $type: 'com.atproto.repo.applyWrites#update', collection: COLLECTION, rkey: 'absent', value: { n: 1 } }]), differ(rule, { reference: 500, arroba: 400 }))
    refused(await account.apply([good, { $type: 'com.atproto.repo.applyWrites#create', collection: POST, value: { text: 5 } }]), 400, 'InvalidRequest')
    refused(await account.apply([good, { $type: 'com.atproto.repo.applyWrites#frobnicate', collection: COLLECTION, rkey: 'x' }]), 400, 'InvalidRequest')
    refused(await account.apply([good, { collection: COLLECTION, rkey: 'x', value: {} }]), 400, 'InvalidRequest')
    assert.deepEqual(await account.latest(), before)
    refused(await get(account, COLLECTION, 'good'), 400, 'RecordNotFound')
  })

  test('applyWrites: deleting what is not there', async () => {
    const account = await newAccount()
    const rule = 'a deletion wants the record gone, and gone it is: success in a batch as by itself (pitfalls 22); the reference answers 500'
    const reply = await account.apply([
      { $type: 'com.atproto.repo.applyWrites#create', collection: COLLECTION, rkey: 'made', value: { n: 1 } },
      { $type: 'com.atproto.repo.applyWrites#delete', collection: COLLECTION, rkey: 'absent' },
    ])
    assert.equal(reply.status, differ(rule, { reference: 500, arroba: 200 }))
    assert.equal((await get(account, COLLECTION, 'made')).status, differ(rule, { reference: 400, arroba: 200 }))
  })

  test('applyWrites: 200 writes are the limit', async () => {
    const account = await newAccount()
    const writes = (n) => Array.from({ length: n }, (_, i) => ({ $type: 'com.atproto.repo.applyWrites#create', collection: COLLECTION, rkey: `k${String(i).padStart(3, '0')}`, value: { i } }))
    refused(await account.apply(writes(201)), 400, 'InvalidRequest', 'Too many writes. Max: 200')
    ok(await account.apply(writes(200)))
    assert.equal(ok(await list(account, COLLECTION, { limit: 100 })).body.records.length, 100)
  })

  test('a batch is its net effect', async () => {
    const account = await newAccount()
    ok(await account.put(COLLECTION, 'k', { n: 1 }))
    const before = await account.latest()
    const unchanged = async (writes) => {
      const { body } = ok(await account.apply(writes))
      const after = await account.latest()
      const rule = 'a batch is merged to its net operations; nothing left means no commit (network-tools 1)'
      const commits = differ(rule, { reference: true, arroba: false })
      assert.equal(after.cid !== before.cid, commits)
      if (!commits) assert.equal(body.results.length, writes.length)
      return after
    }
    const create = { $type: 'com.atproto.repo.applyWrites#create', collection: COLLECTION, rkey: 'tmp', value: { n: 1 } }
    await unchanged([])
    await unchanged([{ $type: 'com.atproto.repo.applyWrites#update', collection: COLLECTION, rkey: 'k', value: { n: 1 } }])
    await unchanged([create, { $type: 'com.atproto.repo.applyWrites#delete', collection: COLLECTION, rkey: 'tmp' }])
    refused(await get(account, COLLECTION, 'tmp'), 400, 'RecordNotFound')
  })

  test('likes and follows of one subject replace each other', async () => {
    const account = await newAccount()
    const subject = ok(await account.create(POST, post('liked'))).body
    const like = { $type: LIKE, subject: { uri: subject.uri, cid: subject.cid }, createdAt: new Date().toISOString() }
    const first = ok(await account.create(LIKE, like)).body
    const second = ok(await account.create(LIKE, { ...like, createdAt: '2024-01-01T00:00:00.000Z' })).body
    const records = ok(await list(account, LIKE)).body.records
    assert.deepEqual(records.map((record) => record.uri), [second.uri])
    assert.notEqual(first.uri, second.uri)
    ok(await account.create(LIKE, { ...like, createdAt: '2024-01-02T00:00:00.000Z' }, { validate: false }))
    assert.equal(ok(await list(account, LIKE)).body.records.length, 2, 'not when validation is off')
  })

  test('listRecords: order, paging, reverse, bounds', async () => {
    const account = await newAccount()
    const keys = Array.from({ length: 25 }, (_, i) => `k${String(i).padStart(2, '0')}`)
    ok(await account.apply(keys.map((rkey, i) => ({ $type: 'com.atproto.repo.applyWrites#create', collection: COLLECTION, rkey, value: { i } }))))
    ok(await account.put('com.example.thinga', 'other', {}))
    ok(await account.put('com.example.thin', 'other', {}))
    const page = async (params) => {
      const seen = []
      let cursor
      let pages = 0
      do {
        const { body } = ok(await list(account, COLLECTION, { ...params, cursor }))
        seen.push(...body.records.map((record) => rkeyOf(record.uri)))
        for (const record of body.records) assert.deepEqual(Object.keys(record).sort(), ['cid', 'uri', 'value'])
        cursor = body.cursor
        pages += 1
        assert.ok(pages < 40)
      } while (cursor !== undefined)
      return { seen, pages }
    }
    assert.deepEqual((await page({ limit: 10 })).seen, keys.toReversed())
    assert.deepEqual((await page({ limit: 10, reverse: true })).seen, keys)
    assert.deepEqual((await page({ limit: 1, reverse: true })).seen, keys)
    const rule = 'no cursor on the last page (pitfalls 37)'
    assert.equal((await page({ limit: 5 })).pages, differ(rule, { reference: 6, arroba: 5 }))
    assert.equal((await page({ limit: 100 })).pages, differ(rule, { reference: 2, arroba: 1 }))
    assert.equal(ok(await list(account, COLLECTION, { repo: account.handle })).body.records.length, 25)
    assert.deepEqual(ok(await list(account, 'com.example.empty')).body.records, [])
    for (const limit of [0, 101, -1, 'x', '1.5']) refused(await list(account, COLLECTION, { limit }), 400, 'InvalidRequest')
    refused(await list(account, COLLECTION, { repo: 'nobody.test' }), 400, 'InvalidRequest', 'Could not find repo: nobody.test')
  })

  test('describeRepo lists the collections in use', async () => {
    const account = await newAccount()
    const describeRepo = async (repo = account.did) => ok(await api.get('com.atproto.repo.describeRepo', { repo })).body
    assert.deepEqual((await describeRepo()).collections, [])
    ok(await account.put(COLLECTION, 'k', {}))
    ok(await account.create(POST, post('x')))
    const body = await describeRepo(account.handle)
    assert.equal(body.did, account.did)
    assert.equal(body.handle, account.handle)
    assert.equal(body.handleIsCorrect, true)
    assert.equal(body.didDoc.id, account.did)
    assert.deepEqual(body.collections.toSorted(), [POST, COLLECTION])
    ok(await account.delete(COLLECTION, 'k'))
    assert.deepEqual((await describeRepo()).collections, [POST])
    refused(await api.get('com.atproto.repo.describeRepo', { repo: 'did:plc:ewvi7nxzyoun6zhxrhs64oiz' }), 400, 'RepoNotFound')
  })

  test('concurrent writes to one repo all land, in one chain', async () => {
    const account = await newAccount()
    const replies = await Promise.all(Array.from({ length: 20 }, (_, i) => account.create(COLLECTION, { i })))
    const revs = replies.map((reply) => ok(reply).body.commit.rev)
    assert.equal(new Set(revs).size, 20)
    assert.equal(ok(await list(account, COLLECTION)).body.records.length, 20)
    assert.equal((await account.latest()).rev, revs.toSorted().at(-1))
  })

  test('preferences', async () => {
    const account = await newAccount()
    const read = () => account.api.get('app.bsky.actor.getPreferences')
    assert.deepEqual(ok(await read()).body, { preferences: [] })
    const preferences = [
      { $type: 'app.bsky.actor.defs#adultContentPref', enabled: true },
      { $type: 'app.bsky.actor.defs#futurePref', anything: ['kept'] },
    ]
    ok(await account.api.post('app.bsky.actor.putPreferences', { preferences }))
    assert.deepEqual(ok(await read()).body.preferences, preferences)
    ok(await account.api.post('app.bsky.actor.putPreferences', { preferences: preferences.slice(1) }))
    assert.deepEqual(ok(await read()).body.preferences, preferences.slice(1))
    refused(await account.api.post('app.bsky.actor.putPreferences', { preferences: [{ $type: 'com.example.pref' }] }), 400, 'InvalidRequest')
    refused(await account.api.post('app.bsky.actor.putPreferences', { preferences: [{ enabled: true }] }), 400, 'InvalidRequest')
    refused(await api.get('app.bsky.actor.getPreferences'), 401, 'AuthMissing')
  })
})
