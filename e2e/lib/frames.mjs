// Event-stream frames, decoded strictly: two canonical DAG-CBOR objects and nothing after them.
import * as dagCbor from '@ipld/dag-cbor'
import { decodeFirst } from 'cborg'
import { readCar } from '@atproto/repo'
import { CID } from 'multiformats/cid'

function first(bytes) {
  const [value, rest] = decodeFirst(bytes, dagCbor.decodeOptions)
  const used = bytes.subarray(0, bytes.length - rest.length)
  if (Buffer.compare(Buffer.from(dagCbor.encode(value)), Buffer.from(used)) !== 0) throw new Error('frame part is not canonical DAG-CBOR')
  return [value, rest]
}

export function decodeFrame(bytes) {
  const [header, afterHeader] = first(bytes)
  const [body, rest] = first(afterHeader)
  if (rest.length !== 0) throw new Error(`${rest.length} bytes after the frame's body`)
  return { op: header.op, type: header.t, header, body, bytes }
}

export function text(cid) {
  return cid === null || cid === undefined ? cid : cid.toString()
}

/** The blocks of a CAR: { roots: [string], blocks: Map(string -> bytes) }, hash-verified. */
export async function openCar(bytes) {
  const { roots, blocks } = await readCar(bytes)
  const map = new Map()
  for (const { cid, bytes: block } of blocks.entries()) map.set(cid.toString(), block)
  return { roots: roots.map(String), blocks: map }
}

function varint(bytes, at) {
  let value = 0
  for (let shift = 0; ; shift += 7) {
    if (at >= bytes.length || shift > 49) throw new Error('bad varint')
    const byte = bytes[at++]
    value += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) return [value, at]
  }
}

/** The CIDs of a CAR's blocks in the order of the file (duplicates kept). */
export function carOrder(bytes) {
  let [length, at] = varint(bytes, 0)
  at += length
  const order = []
  while (at < bytes.length) {
    ;[length, at] = varint(bytes, at)
    const [cid] = CID.decodeFirst(bytes.subarray(at, at + length))
    order.push(cid.toString())
    at += length
  }
  return order
}

export const decodeBlock = (bytes) => dagCbor.decode(bytes)
export const encodeBlock = (value) => dagCbor.encode(value)
