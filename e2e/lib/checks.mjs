// Named steps that depend on each other: the first failure ends the run, and the last line says how many passed.
export class Checks {
  constructor(name) {
    Object.assign(this, { name, passed: 0, failed: 0 })
  }

  async step(what, body) {
    const start = Date.now()
    try {
      await body()
      this.passed += 1
      console.log(`ok   ${what} (${Date.now() - start} ms)`)
    } catch (error) {
      this.failed += 1
      console.log(`FAIL ${what}\n     ${String(error?.stack ?? error).split('\n').slice(0, 25).join('\n     ')}`)
      throw new Stopped(what)
    }
  }

  /** As `step`, but what follows does not depend on it. */
  async check(what, body) {
    await this.step(what, body).catch((error) => {
      if (!(error instanceof Stopped)) throw error
    })
  }

  async run(body) {
    try {
      await body(this)
    } catch (error) {
      if (!(error instanceof Stopped)) {
        this.failed += 1
        console.log(`FAIL outside of any step\n     ${error?.stack ?? error}`)
      }
    }
    console.log(`${this.name}: ${this.passed} passed, ${this.failed} failed`)
    return this.failed === 0
  }
}

class Stopped extends Error {}
