import { expect, it } from 'vitest'
import { parseDockerfile, parseInstruction } from './parse.ts'

it('reads stages, flags, exec forms and continuation lines', () => {
  const { globalArgs, stages } = parseDockerfile(`# a comment
ARG VERSION=1
FROM --platform=linux/amd64 node:\${VERSION} AS Build
RUN echo a \\
  # between the lines
  && echo "b  c" \\

  && echo d
RUN ["/bin/sh", "-c", "echo \\"two words\\""]
FROM scratch
copy --from=build --chown=1:2 ["a b", "c/"]
CMD ["not json]
`)
  expect(globalArgs.map(({ args }) => args)).toEqual(['VERSION=1'])
  expect(stages.map(({ index, name, base, platform }) => ({ index, name, base, platform }))).toEqual([
    { index: 0, name: 'build', base: 'node:${VERSION}', platform: 'linux/amd64' },
    { index: 1, name: undefined, base: 'scratch', platform: undefined },
  ])
  const [run, exec] = stages[0]!.steps
  expect(run?.args).toBe('echo a   && echo "b  c"   && echo d')
  expect(exec?.json).toEqual(['/bin/sh', '-c', 'echo "two words"'])
  const [copy, cmd] = stages[1]!.steps
  expect(copy).toMatchObject({ keyword: 'COPY', line: 11, json: ['a b', 'c/'] })
  expect(copy?.flags).toEqual([
    { name: 'from', value: 'build' },
    { name: 'chown', value: '1:2' },
  ])
  expect(cmd?.json).toBeUndefined()
})

it('reads heredocs', () => {
  const { stages } = parseDockerfile(`FROM scratch
COPY <<EOF <<-'RAW' /dir/
hello $NAME
EOF
\tkept $AS
\tit is
RAW
RUN <<SCRIPT
echo one
# no comment here

echo two
SCRIPT
ENV A=1
`)
  const [copy, run, env] = stages[0]!.steps
  expect(copy?.heredocs).toEqual([
    { name: 'EOF', content: 'hello $NAME\n', expand: true },
    { name: 'RAW', content: 'kept $AS\nit is\n', expand: false },
  ])
  expect(copy?.args).toBe(`<<EOF <<-'RAW' /dir/`)
  expect(run?.heredocs[0]?.content).toBe('echo one\n# no comment here\n\necho two\n')
  expect(env?.args).toBe('A=1')
})

it('reads the escape directive', () => {
  const { escapeChar, stages } = parseDockerfile('# escape=`\nFROM scratch\nRUN a `\n  b\n')
  expect(escapeChar).toBe('`')
  expect(stages[0]!.steps[0]?.args).toBe('a   b')
})

it.each([
  ['', /no FROM/],
  ['RUN x', /line 1: no build stage/],
  ['FROM a\nFOO bar', /line 2: unknown instruction: FOO/],
  ['FROM a b', /line 1: FROM requires/],
  ['FROM a AS 1x', /line 1: invalid name/],
  ['FROM a AS x\nFROM b AS X', /line 2: duplicate name/],
  ['FROM a\nRUN', /line 2: RUN requires/],
])('refuses %j', (text, message) => {
  expect(() => parseDockerfile(text)).toThrow(message)
})

it('reads one instruction', () => {
  expect(parseInstruction('RUN echo hi')).toMatchObject({ keyword: 'RUN', args: 'echo hi' })
})
