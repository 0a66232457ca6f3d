/** Rules of the house that no other tool checks: the size of a file, and names that mean nothing. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const files = String(execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard']))
  .split('\n')
  .filter((file) => /\.(ts|tsx|mjs|cjs|js)$/.test(file) && !file.includes('.generated.'))

const complaints = []
for (const file of files) {
  let text
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    continue
  }
  const lines = text.split('\n').length - 1
  if (lines > 400) complaints.push(`${file}: ${lines} lines; 400 are the most a room may have`)
  const name = file.split('/').at(-1)
  if (/^(utils?|helpers?|common|misc)\./.test(name)) complaints.push(`${file}: the name says nothing`)
  if (!/^[a-z0-9.-]+$/.test(name)) complaints.push(`${file}: names are kebab-case`)
}
/** Lines of code: blank ones and comments make a file easier to read, not larger. */
const codeLines = (text) =>
  text
    .replace(/^\s*\/\*\*?[\s\S]*?\*\/\s*$/gm, '')
    .split('\n')
    .filter((line) => !/^\s*(\/\/.*)?$/.test(line)).length

const kernelLines = files
  .filter((file) => file.startsWith('packages/kernel/src/') && !file.endsWith('.test.ts'))
  .reduce((sum, file) => sum + codeLines(readFileSync(file, 'utf8')), 0)
if (kernelLines >= 1000)
  complaints.push(`packages/kernel/src: ${kernelLines} lines of code; the kernel stays under 1,000`)

for (const complaint of complaints) console.error(complaint)
console.log(
  `${files.length} files, ${complaints.length} complaints; the kernel has ${kernelLines} lines of code`,
)
process.exit(complaints.length === 0 ? 0 : 1)
