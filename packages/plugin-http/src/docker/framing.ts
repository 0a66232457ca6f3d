import type { OutputChunk } from '@kernel/contracts'

/**
 * One frame of a multiplexed stream: stream number, three zeros, length (big endian), payload. Header and
 * payload are one buffer, so that no reader ever sees half a header.
 * Source: Docker Engine API, ContainerAttach, "Stream format".
 */
export function frame({ stream, data }: OutputChunk): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(8 + data.byteLength)
  out[0] = stream
  new DataView(out.buffer).setUint32(4, data.byteLength)
  out.set(data, 8)
  return out
}

/** How output is written to a client: framed, or as it is where there is a terminal (one stream only). */
export function encoderFor(tty: boolean): (chunk: OutputChunk) => Uint8Array {
  return tty ? ({ data }) => data : frame
}

/** The content type of a stream of output; clients before 1.42 know one only. */
export function streamContentType(tty: boolean, minor: number): string {
  return !tty && minor >= 42
    ? 'application/vnd.docker.multiplexed-stream'
    : 'application/vnd.docker.raw-stream'
}
