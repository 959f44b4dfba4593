// Starts a directory and the server under test, then runs node's test runner over the black-box suite.
//   node lib/start-suite.mjs --kind reference|arroba [--binary PATH] [--only PATTERN] [FILE...]
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { e2eRoot, Pds, startPlc, temporaryFolder } from './servers.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { kind: { type: 'string' }, binary: { type: 'string' }, only: { type: 'string' } },
})
const folder = temporaryFolder('suite')
const plc = await startPlc(folder)
const pds = await Pds.start({ kind: values.kind, binary: values.binary, folder, plcUrl: plc.url })
const files = positionals.length ? positionals : readdirSync(join(e2eRoot, 'suite')).filter((name) => name.endsWith('.test.mjs')).sort().map((name) => join(e2eRoot, 'suite', name))
const name = `black-box-on-${values.kind}`
const runner = spawn(
  process.execPath,
  ['--test', '--experimental-test-isolation=none', '--disable-warning=ExperimentalWarning', '--test-concurrency=1', '--test-timeout=60000', `--test-reporter=${join(e2eRoot, 'lib/reporter.mjs')}`, ...(values.only ? [`--test-name-pattern=${values.only}`] : []), ...files],
  {
    stdio: 'inherit',
    env: {
      ...process.env,
      E2E_SUITE_NAME: name,
      E2E_URL: pds.url,
      E2E_KIND: values.kind,
      E2E_PLC_URL: plc.url,
      E2E_ADMIN_PASSWORD: pds.adminPassword,
      E2E_JWT_SECRET: pds.environment.PDS_JWT_SECRET,
      E2E_BLOB_LIMIT: pds.environment.PDS_BLOB_UPLOAD_LIMIT,
      E2E_IMPORT_LIMIT: pds.environment.PDS_MAX_REPO_IMPORT_SIZE,
    },
  },
)
const code = await new Promise((resolve) => runner.once('close', resolve))
if (process.env.E2E_KEEP) console.log(`kept: ${folder}`)
try {
  pds.child.assertRunning()
  await pds.stop()
} catch (error) {
  console.error(String(error))
  process.exitCode = 1
}
await plc.end()
process.exit(code || process.exitCode || 0)
