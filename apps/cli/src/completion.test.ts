import { afterEach, expect, it, vi } from 'vitest'
import { answerCompletion } from './completion.ts'
import { completionScript } from './completion-script.ts'
import { type FakeDaemon, fakeDaemon } from './testing.ts'

let daemon: FakeDaemon | undefined
afterEach(async () => {
  await daemon?.close()
  daemon = undefined
  vi.restoreAllMocks()
})

/** The lines the shell gets, without the directive at the end. */
async function complete(
  words: string[],
  env: NodeJS.ProcessEnv = { KERNEL_HOST: 'unix:///nonexistent.sock' },
) {
  const lines: string[] = []
  vi.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(line))
  await answerCompletion([...words], env)
  expect(lines.at(-1)).toMatch(/^:\d+$/)
  return lines.slice(0, -1)
}

it('offers commands with their summary in one line', async () => {
  expect(await complete(['apps:c'])).toEqual(['apps:create\tCreate an app'])
  const all = await complete([''])
  expect(all.length).toBeGreaterThan(50)
  for (const line of all) expect(line).toMatch(/^[a-z:-]+\t[^\t\n]+$/)
})

it('offers the flags of a command', async () => {
  expect(await complete(['logs', 'blog', '--fo'])).toEqual([
    '--follow\tthe same as --tail',
    '--format\thow to print',
  ])
  expect(await complete(['apps:list', '--format', ''])).toEqual(['text\t', 'json\t'])
})

it('asks the daemon for the names of apps', async () => {
  daemon = await fakeDaemon({
    answer: (_request, response) => response.end('[{"name":"blog"},{"name":"bank"},{"name":"shop"}]'),
  })
  expect(await complete(['ps:restart', 'b'], daemon.env)).toEqual(['blog\t', 'bank\t'])
  expect(await complete(['apps:report', ''], daemon.env)).toHaveLength(3)
  expect(await complete(['tokens:create', ''], daemon.env)).toEqual([])
  expect(daemon.requests).toEqual(['GET /api/v1/apps', 'GET /api/v1/apps'])
})

it('is silent where there is no daemon, and does not wait for one that hangs', async () => {
  expect(await complete(['apps:report', ''])).toEqual([])
  daemon = await fakeDaemon({})
  expect(await complete(['apps:report', ''], daemon.env)).toEqual([])
})

it('has a script for each shell; in bash, for names with colons', () => {
  const lines: string[] = []
  vi.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(line))
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => lines.push(String(text)) > 0)
  for (const shell of ['zsh', 'fish', 'bash']) completionScript(shell)
  expect(lines[0]).toContain('#compdef kernel')
  expect(lines[1]).toContain('complete -c kernel')
  expect(lines[2]).toContain('_get_comp_words_by_ref')
  expect(lines[3]).toContain('__ltrim_colon_completions')
  expect(() => completionScript('tcsh')).toThrow(expect.objectContaining({ kind: 'invalid' }))
})
