// A firehose subscriber that keeps every frame and can be asked to wait for one.
import WebSocket from 'ws'
import { decodeFrame } from './frames.mjs'
import { counts } from './xrpc.mjs'
import { until } from './wait.mjs'

export class Subscriber {
  constructor(base, cursor) {
    const query = cursor === undefined ? '' : `?cursor=${encodeURIComponent(cursor)}`
    this.frames = []
    this.closed = undefined
    this.socket = new WebSocket(`${base.replace(/^http/, 'ws')}/xrpc/com.atproto.sync.subscribeRepos${query}`, { perMessageDeflate: false })
    this.socket.on('message', (data, binary) => {
      counts.frames += 1
      try {
        if (!binary) throw new Error('a text message on the firehose')
        this.frames.push(decodeFrame(new Uint8Array(data)))
      } catch (error) {
        this.broken = error
      }
    })
    this.socket.on('close', (code, reason) => {
      this.closed ??= { code, reason: reason.toString() }
    })
    this.socket.on('unexpected-response', (_request, response) => {
      const chunks = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.on('end', () => {
        this.refused = { status: response.statusCode, text: Buffer.concat(chunks).toString() }
        this.closed ??= { code: 0, reason: '' }
      })
    })
    this.socket.on('error', (error) => {
      this.failure = error
    })
  }

  async opened() {
    await until('the firehose is open', () => {
      if (this.refused || this.closed) throw new Error(`refused: ${JSON.stringify(this.refused ?? this.closed)}`)
      return this.socket.readyState === WebSocket.OPEN
    })
    return this
  }

  /** Frames about one account, in order. */
  of(did) {
    return this.frames.filter((frame) => (frame.body.repo ?? frame.body.did) === did)
  }

  async untilSeen(what, probe, options) {
    return until(
      what,
      () => {
        if (this.broken) throw this.broken
        return probe(this)
      },
      options,
    )
  }

  untilCount(did, n, options) {
    return this.untilSeen(`${n} frames about ${did}`, () => this.of(did).length >= n && this.of(did), options)
  }

  async untilClosed() {
    return until('the connection is closed', () => this.closed)
  }

  close() {
    this.socket.terminate()
  }
}

/** A live subscriber that is known to be attached: the server has shown it at least one event made for the purpose. */
export async function attach(base, cursor) {
  return new Subscriber(base, cursor).opened()
}
