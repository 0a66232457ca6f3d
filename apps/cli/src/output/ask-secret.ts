/** Asks on the terminal for what must not be seen. @module */
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'

/** The line that was typed; nothing of it is shown. Only where standard input is a terminal. */
export async function askSecret(question: string): Promise<string> {
  process.stderr.write(question)
  const silent = new Writable({ write: (_piece, _encoding, done) => done() })
  const reader = createInterface({ input: process.stdin, output: silent, terminal: true })
  try {
    return await new Promise((resolve, reject) => {
      reader.once('line', resolve)
      reader.once('SIGINT', () => reject(new Error('Nothing was given.')))
      reader.once('close', () => reject(new Error('Nothing was given.')))
    })
  } finally {
    reader.close()
    process.stderr.write('\n')
  }
}
