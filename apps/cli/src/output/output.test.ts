import { describe, expect, it } from 'vitest'
import { sink } from '../testing.ts'
import { Output, type OutputOptions } from './output.ts'

function output(options: Partial<OutputOptions> = {}) {
  const [stdout, stderr] = [sink(), sink()]
  const out = new Output({ format: 'text', quiet: false, colour: false, stdout, stderr, ...options })
  return { out, stdout, stderr }
}

describe('a table', () => {
  const rows = [
    ['blog', 1, undefined],
    ['a-longer-name', 20, 'x'],
  ]
  it('has columns of the width they need, and no blanks at the end', () => {
    const { out, stdout } = output()
    out.table(['App', 'Count', 'Note'], rows)
    expect(stdout.text()).toBe(
      ['APP             COUNT   NOTE', 'blog            1', 'a-longer-name   20      x', ''].join('\n'),
    )
  })

  it('leaves its head out where it shall be quiet, and prints nothing of nothing', () => {
    const { out, stdout } = output({ quiet: true })
    out.table(['App'], [['blog']])
    out.table(['App'], [])
    expect(stdout.text()).toBe('blog\n')
  })

  it('keeps wide characters and long cells whole', () => {
    const { out, stdout } = output()
    out.table(['A', 'B'], [['日本', 'y'.repeat(300)]])
    expect(stdout.text()).toBe(`A      B\n日本   ${'y'.repeat(300)}\n`)
  })
})

describe('a report', () => {
  it('lines its values up, also where there are none', () => {
    const { out, stdout } = output()
    out.report('blog env vars', { A: 'x', LONGER: undefined, ON: false })
    out.report('none', {})
    expect(stdout.text()).toBe(
      [
        '=====> blog env vars',
        '       A:       x',
        '       LONGER:',
        '       ON:      false',
        '=====> none',
        '',
      ].join('\n'),
    )
  })
})

describe('the lines of a deploy', () => {
  const lines = [
    { kind: 'section', text: 'Application deployed' },
    { kind: 'step', text: 'Building' },
    { kind: 'detail', text: 'added 1 package' },
    { kind: 'error', text: 'it broke' },
  ] as const

  it("have Dokku's form, errors on the other stream", () => {
    const { out, stdout, stderr } = output()
    for (const line of lines) out.deploy(line)
    expect(stdout.text()).toBe('=====> Application deployed\n-----> Building\n       added 1 package\n')
    expect(stderr.text()).toBe(' !     it broke\n')
  })

  it('leave details out where it shall be quiet, never errors', () => {
    const { out, stdout, stderr } = output({ quiet: true })
    for (const line of lines) out.deploy(line)
    expect(stdout.text()).not.toContain('added')
    expect(stderr.text()).toContain('it broke')
  })

  it('are one JSON object each for machines', () => {
    const { out, stdout, stderr } = output({ format: 'json' })
    for (const line of lines) out.deploy(line)
    expect(
      stdout
        .text()
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(lines)
    expect(stderr.text()).toBe('')
  })
})

describe('an error', () => {
  it('marks every line, and gives the hint', () => {
    const { out, stderr } = output()
    out.error('one\ntwo', 'do this')
    expect(stderr.text()).toBe(' !     one\n !     two\n       do this\n')
  })

  it('is JSON for machines', () => {
    const { out, stderr } = output({ format: 'json' })
    out.error('one', 'do this')
    expect(JSON.parse(stderr.text())).toEqual({ error: { message: 'one', hint: 'do this' } })
  })
})

describe('colours', () => {
  it('are for terminals', () => {
    const { out, stdout } = output({ colour: undefined })
    out.deploy({ kind: 'step', text: 'plain' })
    expect(stdout.text()).toBe('-----> plain\n')
    const coloured = output({ colour: true })
    coloured.out.deploy({ kind: 'step', text: 'bold' })
    expect(coloured.stdout.text()).toContain('\u001b[1m')
  })
})
