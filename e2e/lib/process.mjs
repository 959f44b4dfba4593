// Child processes: started with a clean environment, logged to a file, ended by their own id.
import { spawn } from 'node:child_process'
import { createWriteStream, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'

/** A port that was free a moment ago, on every loopback address. */
export async function freePort() {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/** What a child may inherit: nothing that could configure it by accident. */
export function baseEnvironment() {
  const kept = {}
  for (const name of ['PATH', 'HOME', 'TMPDIR', 'LANG']) {
    if (process.env[name] !== undefined) kept[name] = process.env[name]
  }
  return kept
}

export class Child {
  constructor(name, command, args, { env = {}, cwd, log }) {
    this.name = name
    this.log = log
    const out = createWriteStream(log, { flags: 'a' })
    this.process = spawn(command, args, { env: { ...baseEnvironment(), ...env }, cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    this.process.stdout.pipe(out, { end: false })
    this.process.stderr.pipe(out, { end: false })
    this.exited = new Promise((resolve) => {
      this.process.once('error', (error) => resolve({ error }))
      this.process.once('close', (code, signal) => resolve({ code, signal }))
    }).then(async (how) => {
      this.ended = how
      await new Promise((resolve) => out.end(resolve)) // so that the whole log can be read now
      return how
    })
    children.add(this)
  }

  get pid() {
    return this.process.pid
  }

  text() {
    return readFileSync(this.log, 'utf8')
  }

  /** Fails when the child is gone: for use inside a readiness probe. */
  assertRunning() {
    if (this.ended) throw new Error(`${this.name} ended early: ${JSON.stringify(this.ended)}\n${this.text().slice(-3000)}`)
  }

  async end(signal = 'SIGTERM', grace = 15_000) {
    children.delete(this)
    if (this.ended) return this.ended
    this.process.kill(signal)
    let timer
    const timeout = new Promise((resolve) => {
      timer = setTimeout(resolve, grace, 'timeout')
    })
    const how = await Promise.race([this.exited, timeout])
    clearTimeout(timer)
    if (how !== 'timeout') return how
    this.process.kill('SIGKILL')
    await this.exited
    throw new Error(`${this.name} ignored ${signal} for ${grace} ms`)
  }
}

const children = new Set()
process.once('exit', () => {
  for (const child of children) if (!child.ended) child.process.kill('SIGKILL')
})
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
