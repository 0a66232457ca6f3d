import { describe, expect, it } from 'vitest'
import { deployOutput } from './deploy-output.ts'

const wipe = '\x1b[1G\x1b[K'

function sink() {
  const lines: string[] = []
  return { lines, writableLength: 0, write: (text: string) => lines.push(text) }
}

describe('deployOutput', () => {
  it("has Dokku's form", () => {
    const target = sink()
    const output = deployOutput(target)
    output.step('Building')
    output.detail('one\r\ntwo\n')
    output.detail('')
    output.error('Failed')
    output.section('Deployed')
    expect(target.lines).toEqual([
      `${wipe}-----> Building\n`,
      `${wipe}       one\n`,
      `${wipe}       two\n`,
      `${wipe}       \n`,
      `${wipe} !     Failed\n`,
      `${wipe}=====> Deployed\n`,
    ])
  })

  it('leaves details out while nobody takes them, and says so', () => {
    const target = sink()
    const output = deployOutput(target)
    target.writableLength = 5_000_000
    output.detail('lost')
    output.detail('lost')
    output.error('kept')
    target.writableLength = 0
    output.detail('back')
    expect(target.lines.map((line) => line.slice(wipe.length))).toEqual([
      ' !     kept\n',
      '       (2 lines left out: the connection is too slow for them)\n',
      '       back\n',
    ])
  })
})
