// Starts the servers under test. Our binary and the reference server are configured by exactly the same variables.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Child, freePort } from './process.mjs'
import { until } from './wait.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
export const e2eRoot = join(here, '..')
export const tools = join(e2eRoot, '.cache')

export function temporaryFolder(name) {
  const path = mkdtempSync(join(tmpdir(), `arroba-e2e-${name}-`))
  process.once('exit', () => {
    if (!process.env.E2E_KEEP) rmSync(path, { recursive: true, force: true })
  })
  return path
}

/** The in-memory did:plc directory with the real validation rules. */
export async function startPlc(folder) {
  const port = await freePort()
  const child = new Child('plc', process.execPath, [join(e2eRoot, 'servers/plc.mjs')], {
    env: { PORT: String(port), NODE_ENV: 'production' },
    log: join(folder, 'plc.log'),
  })
  const url = `http://localhost:${port}`
  await until('the directory answers', async () => {
    child.assertRunning()
    return (await fetch(`${url}/_health`)).ok
  })
  return { url, port, child, end: () => child.end() }
}

/**
 * A server that can be killed and started again on the same port and data.
 * kind: `reference` or `arroba`; for the latter `binary` is the path of our executable.
 */
export class Pds {
  constructor({ kind, binary, folder, port, plcUrl, extra = {}, name = 'pds' }) {
    Object.assign(this, { kind, binary, folder, port, name })
    this.url = `http://localhost:${port}`
    this.adminPassword = randomBytes(12).toString('hex')
    mkdirSync(join(folder, 'data'), { recursive: true })
    mkdirSync(join(folder, 'blobs'), { recursive: true })
    this.log = join(folder, `${name}.log`)
    this.environment = {
      PDS_HOSTNAME: 'localhost',
      PDS_PORT: String(port),
      PDS_DATA_DIRECTORY: join(folder, 'data'),
      PDS_BLOBSTORE_DISK_LOCATION: join(folder, 'blobs'),
      PDS_DID_PLC_URL: plcUrl,
      PDS_SERVICE_HANDLE_DOMAINS: '.test',
      PDS_JWT_SECRET: randomBytes(16).toString('hex'),
      PDS_ADMIN_PASSWORD: this.adminPassword,
      PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX: randomBytes(32).toString('hex'),
      PDS_INVITE_REQUIRED: 'false',
      PDS_DEV_MODE: 'true',
      PDS_DISABLE_SSRF_PROTECTION: 'true',
      PDS_BLOB_UPLOAD_LIMIT: '1000000',
      PDS_MAX_REPO_IMPORT_SIZE: '20000000',
      PDS_ACCEPTING_REPO_IMPORTS: 'true',
      PDS_BSKY_APP_VIEW_URL: 'http://localhost:1',
      PDS_BSKY_APP_VIEW_DID: 'did:web:localhost%3A1',
      PDS_CRAWLERS: '',
      LOG_ENABLED: 'true',
      ...extra,
    }
    for (const [key, value] of Object.entries(this.environment)) if (value === null) delete this.environment[key]
  }

  static async start(options) {
    const pds = new Pds({ ...options, port: options.port ?? (await freePort()) })
    await pds.start()
    return pds
  }

  async start() {
    let [command, args] =
      this.kind === 'reference'
        ? [process.execPath, [join(e2eRoot, 'servers/reference.mjs')]]
        : [this.binary, ['serve']]
    // A control group that the server is to live in from its first instruction on.
    if (this.group) [command, args] = ['sh', ['-c', 'echo $$ >"$0/cgroup.procs" && exec "$@"', this.group, command, ...args]]
    this.child = new Child(this.name, command, args, { env: this.environment, cwd: this.folder, log: this.log })
    await until(
      'the server is healthy',
      async () => {
        this.child.assertRunning()
        return (await fetch(`${this.url}/xrpc/_health`)).ok
      },
      { within: 60_000 },
    )
  }

  stop() {
    return this.child.end('SIGTERM')
  }

  kill() {
    return this.child.end('SIGKILL')
  }
}
