// Attaches strace to a running server: to read the order of its system calls, or to make some of them fail.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { until } from '../lib/wait.mjs'

export class Strace {
  constructor(pid, log, options) {
    this.log = log
    this.process = spawn('strace', ['-f', '-ttt', '-yy', '-s', '48', '-o', log, '-p', String(pid), ...options], { stdio: ['ignore', 'ignore', 'pipe'] })
    this.said = ''
    this.process.stderr.on('data', (chunk) => {
      this.said += chunk
    })
    this.exited = once(this.process, 'close')
  }

  async attached() {
    await until('strace is attached', () => {
      if (this.process.exitCode !== null) throw new Error(`strace ended: ${this.said}`)
      return /attached/.test(this.said)
    })
    return this
  }

  async detach() {
    this.process.kill('SIGINT')
    await this.exited
    return readFileSync(this.log, 'utf8')
  }
}

/** The calls of a log in order of their ends: { name, text, start, end, result }, `start` and `end` being line numbers. */
export function calls(log) {
  const open = new Map()
  const done = []
  for (const [at, line] of log.split('\n').entries()) {
    const unfinished = /^(\d+)\s+\S+ (\w+)\((.*) <unfinished \.\.\.>$/.exec(line)
    const resumed = /^(\d+)\s+\S+ <\.\.\. (\w+) resumed>(.*)$/.exec(line)
    const whole = /^(\d+)\s+\S+ (\w+)\((.*)$/.exec(line)
    if (unfinished) open.set(unfinished[1], { name: unfinished[2], text: unfinished[3], start: at })
    else if (resumed) {
      const call = open.get(resumed[1])
      if (!call) continue
      open.delete(resumed[1])
      done.push({ ...call, text: call.text + resumed[3], end: at, result: outcome(resumed[3]) })
    } else if (whole) done.push({ name: whole[2], text: whole[3], start: at, end: at, result: outcome(whole[3]) })
  }
  return done
}

function outcome(text) {
  const found = / = (-?\d+)(?: |$)/.exec(text)
  return found ? Number(found[1]) : undefined
}

/**
 * For each answer to the client on `port`: after the last write to the log before the answer there is a successful sync of
 * the log, ended before the answer began. Returns how many answers were checked, and throws at the first that has none.
 */
export function everyAnswerIsDurable(log, port) {
  const all = calls(log)
  const isLog = (call) => /-wal[>"]/.test(call.text) || /-wal(?=\S*>)/.test(call.text)
  const writes = all.filter((call) => call.name === 'pwrite64' && isLog(call))
  const syncs = all.filter((call) => ['fdatasync', 'fsync', 'sync_file_range'].includes(call.name) && isLog(call) && call.result === 0 && !call.text.includes('INJECTED'))
  const answers = all.filter((call) => ['write', 'writev', 'sendto', 'sendmsg'].includes(call.name) && call.text.includes(`:${port}->`) && call.text.includes('HTTP/1.1 200'))
  let previous = -1
  for (const answer of answers) {
    const written = writes.filter((call) => call.start > previous && call.end < answer.start)
    if (written.length === 0) throw new Error(`nothing was written to the log before the answer at line ${answer.start}`)
    const last = Math.max(...written.map((call) => call.end))
    if (!syncs.some((call) => call.start > last && call.end < answer.start)) throw new Error(`no successful sync between the write to the log (line ${last}) and the answer (line ${answer.start})`)
    previous = answer.start
  }
  return answers.length
}
