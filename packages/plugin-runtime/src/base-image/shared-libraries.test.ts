import { expect, it } from 'vitest'
import { parseLdd, sharedLibraries } from './shared-libraries.ts'

it('reads what ldd prints', () => {
  const text = `\tlinux-vdso.so.1 (0x00007ffd)
\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f01)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f00)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f02)
`
  expect(parseLdd(text, 'x')).toEqual([
    '/lib/x86_64-linux-gnu/libc.so.6',
    '/lib/x86_64-linux-gnu/libm.so.6',
    '/lib64/ld-linux-x86-64.so.2',
  ])
  expect(parseLdd('\tstatically linked\n', 'x')).toEqual([])
})

it('names the program and the library that is missing', () => {
  expect(() => parseLdd('\tlibgone.so.1 => not found\n', '/bin/x')).toThrow(
    /\/bin\/x needs the library libgone\.so\.1/,
  )
})

it('finds the C library and the loader of the Node that runs', async () => {
  const libraries = await sharedLibraries(process.execPath)
  expect(libraries.some((path) => /\/libc\.so\.6$/.test(path))).toBe(true)
  expect(libraries.some((path) => /\/ld-linux[^/]*\.so/.test(path))).toBe(true)
})
