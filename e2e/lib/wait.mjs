// Waiting is polling with a deadline: a condition that never comes true fails with what was last seen.
import { setTimeout as pause } from 'node:timers/promises'

export async function until(what, probe, { within = 15_000, every = 25 } = {}) {
  const deadline = Date.now() + within
  let last
  for (;;) {
    try {
      last = await probe()
      if (last) return last
    } catch (error) {
      last = error
    }
    if (Date.now() > deadline) {
      const seen = last instanceof Error ? (last.stack ?? String(last)) : JSON.stringify(last)
      throw new Error(`gave up after ${within} ms waiting until ${what}; last seen: ${seen}`)
    }
    await pause(every)
  }
}
