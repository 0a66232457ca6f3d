/** What the pages of the reference have in common. @module */
import { exitCodes } from '../exit-codes.ts'

export const generated =
  '<!-- Written by `pnpm --filter @kernel/cli reference`; change the program, not this file. -->'

export function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

export const exitCodeTable = () =>
  table(
    ['Code', 'Meaning'],
    Object.values(exitCodes).map(({ code, meaning }) => [String(code), meaning]),
  )
