// A bare XRPC client: what went over the wire, nothing hidden. Requests are counted.
export const counts = { requests: 0, frames: 0 }

export class Reply {
  constructor(status, headers, bytes) {
    Object.assign(this, { status, headers, bytes })
  }
  get text() {
    return new TextDecoder().decode(this.bytes)
  }
  get body() {
    if (this.bytes.length === 0) return undefined
    return JSON.parse(this.text)
  }
  get error() {
    return this.body?.error
  }
  get message() {
    return this.body?.message
  }
  header(name) {
    return this.headers.get(name)
  }
}

export async function request(url, { method = 'GET', headers = {}, body, redirect = 'manual', signal } = {}) {
  counts.requests += 1
  const response = await fetch(url, { method, headers, body, redirect, signal, duplex: 'half' })
  return new Reply(response.status, response.headers, new Uint8Array(await response.arrayBuffer()))
}

export class Client {
  constructor(base, headers = {}) {
    this.base = base
    this.headers = headers
  }

  url(nsid, params = {}) {
    const query = new URLSearchParams()
    for (const [name, value] of Object.entries(params)) {
      if (value === undefined) continue
      for (const one of Array.isArray(value) ? value : [value]) query.append(name, String(one))
    }
    const text = query.toString()
    return `${this.base}/xrpc/${nsid}${text ? `?${text}` : ''}`
  }

  get(nsid, params, options = {}) {
    return request(this.url(nsid, params), { ...options, headers: { ...this.headers, ...options.headers } })
  }

  /** A procedure with a JSON body (`undefined`: no body at all). */
  post(nsid, input, options = {}) {
    const json = input === undefined ? {} : { 'content-type': 'application/json' }
    return request(this.url(nsid, options.params), {
      ...options,
      method: 'POST',
      headers: { ...this.headers, ...json, ...options.headers },
      body: input === undefined ? undefined : JSON.stringify(input),
    })
  }

  /** A procedure with a body of bytes. */
  send(nsid, bytes, type, options = {}) {
    const kind = type === undefined ? {} : { 'content-type': type }
    return request(this.url(nsid, options.params), {
      ...options,
      method: 'POST',
      headers: { ...this.headers, ...kind, ...options.headers },
      body: bytes,
    })
  }

  as(token) {
    return new Client(this.base, { ...this.headers, authorization: `Bearer ${token}` })
  }

  admin(password) {
    const basic = Buffer.from(`admin:${password}`).toString('base64')
    return new Client(this.base, { ...this.headers, authorization: `Basic ${basic}` })
  }
}
