import { expect, it } from 'vitest'
import { isSimpleCommand, shellCommand } from './command-line.ts'

it.each([
  'node server.js',
  'node server.js --port $PORT',
  'bin/serve "a b" \'c;d\'',
  'gunicorn app:app -b 0.0.0.0:$PORT',
  './run *.conf',
])('%s takes the place of the shell', (line) => {
  expect(shellCommand(line)).toEqual(['/bin/sh', '-c', `exec ${line}`])
})

it.each([
  'a && b',
  'a; b',
  'a | b',
  'a > log',
  'cd x',
  'exec node x',
  'FOO=1 node x',
  'node $(cat main)',
  'node `cat main`',
  '(a)',
  'a &',
  'if true; then a; fi',
  'node x # comment',
])('%s keeps its shell', (line) => {
  expect(isSimpleCommand(line)).toBe(false)
  expect(shellCommand(line)).toEqual(['/bin/sh', '-c', line])
})
