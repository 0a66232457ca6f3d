import { describe, expect, it } from 'vitest'
import { parseJson } from '../json.ts'
import { containerCreate, execStart, networkCreate } from './bodies.ts'

const read = (text: string) => containerCreate(parseJson(text), '')

describe('bodies, read as Go reads them', () => {
  it('find fields whatever their case, and give them their names', () => {
    expect(read('{"image":"x","HOSTCONFIG":{"memory":5,"restartpolicy":{"name":"always"}}}')).toEqual({
      Image: 'x',
      HostConfig: { Memory: 5, RestartPolicy: { Name: 'always' } },
    })
  })

  it('take null as absent, but where it means something', () => {
    expect(
      read(
        '{"Image":"x","Cmd":null,"Labels":null,"HostConfig":{"Binds":null,"PidsLimit":null,"MaskedPaths":null}}',
      ),
    ).toEqual({
      Image: 'x',
      HostConfig: { PidsLimit: null, MaskedPaths: null },
    })
  })

  it('drop what is unknown, and keep it in the host configuration for inspect', () => {
    expect(read('{"Image":"x","Nonsense":1,"HostConfig":{"BlkioWeight":300}}')).toEqual({
      Image: 'x',
      HostConfig: { BlkioWeight: 300 },
    })
  })

  it('take a command as list or text', () => {
    expect(read('{"Cmd":"true","Entrypoint":["sh","-c"]}')).toEqual({
      Cmd: ['true'],
      Entrypoint: ['sh', '-c'],
    })
  })

  it('keep big numbers as near as a number gets, below the limit of int64', () => {
    const { HostConfig } = read('{"HostConfig":{"Memory":9223372036854775807}}')
    expect(BigInt(HostConfig!.Memory!)).toBe(9223372036854774784n)
  })

  it('are no way to reach a prototype', () => {
    const body = read('{"Labels":{"__proto__":"x","a":"b"},"HostConfig":{"__proto__":{"Privileged":true}}}')
    expect(body.HostConfig?.Privileged).toBeUndefined()
    expect(Object.getPrototypeOf(body.Labels)).toBe(Object.prototype)
  })

  it.each([
    ['{"Tty":"yes"}', 'cannot unmarshal string into Go struct field Tty of type bool'],
    [
      '{"HostConfig":{"Memory":1.5}}',
      'cannot unmarshal number into Go struct field HostConfig.Memory of type int64',
    ],
    ['{"Env":"A=1"}', 'into Go struct field Env'],
    ['{"HostConfig":[]}', 'cannot unmarshal array into Go struct field HostConfig of type struct'],
    ['[]', 'of type struct'],
  ])('refuse %s', (text, message) => {
    expect(() => read(text)).toThrow(message)
  })

  it('read the other bodies alike', () => {
    expect(execStart({ detach: false, TTY: true, ConsoleSize: [24, 80] }, '')).toEqual({
      Detach: false,
      Tty: true,
      ConsoleSize: [24, 80],
    })
    expect(
      networkCreate({ name: 'n', ipam: { config: [{ subnet: '10.0.0.0/24' }] }, CheckDuplicate: true }, ''),
    ).toEqual({
      Name: 'n',
      IPAM: { Config: [{ Subnet: '10.0.0.0/24' }] },
    })
  })
})
