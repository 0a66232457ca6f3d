/** Asks on the terminal for a name. @module */
import { createInterface } from 'node:readline/promises'

/** True where the name was typed; false at once where no one can be asked. */
export async function confirmName(question: string, name: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return false
  const reader = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return (await reader.question(` !     ${question} `)).trim() === name
  } finally {
    reader.close()
  }
}
