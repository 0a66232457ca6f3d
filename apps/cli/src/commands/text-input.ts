/** Texts that a command takes from a file or from standard input. @module */
import { readFile } from 'node:fs/promises'
import { denied, invalid, notFound } from '@kernel/contracts'
import type { Invocation } from '../command.ts'

export interface TextInput {
  /** What is read, for messages: `key`, `page`. */
  what: string
  /** Bytes. */
  longest: number
}

/** @param file a path; `-` or nothing: standard input. @throws invalid, denied over SSH, not-found */
export async function readInput(
  call: Pick<Invocation, 'overSsh'>,
  file: unknown,
  { what, longest }: TextInput,
): Promise<Buffer> {
  if (typeof file !== 'string' || file === '-') {
    if (process.stdin.isTTY)
      throw invalid(`No ${what} was given.`, { hint: `Name a file, or give the ${what} on standard input.` })
    const pieces: Buffer[] = []
    let length = 0
    for await (const piece of process.stdin as AsyncIterable<Buffer>) {
      pieces.push(piece)
      length += piece.length
      if (length > longest) throw invalid(`Standard input is too long for a ${what}.`)
    }
    return Buffer.concat(pieces)
  }
  if (call.overSsh)
    throw denied('Over SSH no file of the server is read.', {
      hint: `Give the ${what} on standard input: ssh ... < ${file}`,
    })
  const read = await readFile(file).catch((error: Error) => {
    throw notFound(`${file} can not be read: ${error.message}`, { cause: error })
  })
  if (read.length > longest) throw invalid(`${file} is too long for a ${what}.`)
  return read
}
