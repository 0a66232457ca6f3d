/** Shell lines of a Procfile or package.json, as argv. @module */
import { parse } from 'shell-quote'

const builtins = new Set(
  '. : [ alias bg break case cd command continue eval exec exit export fg for getopts hash if jobs read readonly return set shift source test then time times trap type ulimit umask unalias unset until wait while { } !'.split(
    ' ',
  ),
)

/**
 * Whether a line is one command with arguments: no operators, substitutions, assignments or builtins. Only
 * such a line can follow `exec`.
 */
export function isSimpleCommand(line: string): boolean {
  if (/[`\n]|\$\(/.test(line)) return false
  // Variables stay what they are: their value is known only where the line runs.
  const words = parse(line, (name) => `$${name}`)
  const [first] = words
  if (typeof first !== 'string' || first.includes('=') || builtins.has(first)) return false
  return words.every((word) => typeof word === 'string' || ('op' in word && word.op === 'glob'))
}

/**
 * argv that runs a line in a shell. A simple command replaces the shell, so that it is the process that gets
 * SIGTERM.
 */
export function shellCommand(line: string): string[] {
  return ['/bin/sh', '-c', isSimpleCommand(line) ? `exec ${line}` : line]
}
