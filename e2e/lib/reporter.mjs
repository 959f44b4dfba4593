// Prints failures in full and closes with one line that says how many passed and failed.
import { counts } from './xrpc.mjs'

const name = process.env.E2E_SUITE_NAME ?? 'suite'

export default async function* reporter(source) {
  let passed = 0
  let failed = 0
  let skipped = 0
  const failures = []
  for await (const { type, data } of source) {
    if (type === 'test:stderr' || type === 'test:stdout') yield data.message
    if (type !== 'test:pass' && type !== 'test:fail') continue
    if (data.details?.type === 'suite') continue
    if (data.skip !== undefined) {
      skipped += 1
      yield `skip ${data.name}: ${data.skip}\n`
    } else if (type === 'test:pass') {
      passed += 1
      if (process.env.E2E_VERBOSE) yield `ok   ${data.name} (${Math.round(data.details.duration_ms)} ms)\n`
    } else {
      failed += 1
      const cause = data.details.error?.cause ?? data.details.error
      failures.push(`FAIL ${data.name}\n     ${String(cause?.stack ?? cause).split('\n').slice(0, 12).join('\n     ')}\n`)
      yield failures.at(-1)
    }
  }
  yield `${name}: ${counts.requests} requests, ${counts.frames} firehose frames\n`
  yield `${name}: ${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}\n`
}
