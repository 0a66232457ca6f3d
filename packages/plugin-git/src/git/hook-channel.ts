/**
 * How a hook of git, which runs somewhere below `git receive-pack`, talks with the daemon: over descriptors that
 * receive-pack and the hook inherit. A shell script does it, so that no Node has to start for a push.
 * @module
 */
import { isAbsolute, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { invalid } from '@kernel/contracts'

/** A push that waits in quarantine (githooks(5), pre-receive; git-receive-pack(1), quarantine environment). */
export interface QuarantinedPush {
  /** What a git has to know to see the pushed objects. */
  env: { GIT_OBJECT_DIRECTORY: string; GIT_ALTERNATE_OBJECT_DIRECTORIES: string }
  /** `git push -o`. */
  options: string[]
  updates: RefUpdate[]
}

/** 40 zeros stand for a ref that is not there. */
export interface RefUpdate {
  oldRev: string
  newRev: string
  ref: string
}

export const noRev = '0'.repeat(40)

/** A push with many thousands of refs is no push of an app. */
const longestMessage = 1024 * 1024

/**
 * Fd 3: the push, as fields that end with NUL: object directory, alternates, count of options, options, lines of
 * refs. Fd 4: what the pusher reads. Fd 5: the exit code; a daemon that dies leaves none, and the push is refused.
 */
export const preReceiveScript = `#!/bin/sh
{
  printf '%s\\0' "$GIT_OBJECT_DIRECTORY" "$GIT_ALTERNATE_OBJECT_DIRECTORIES" "\${GIT_PUSH_OPTION_COUNT:-0}"
  option=0
  while [ "$option" -lt "\${GIT_PUSH_OPTION_COUNT:-0}" ]; do
    eval "printf '%s\\\\0' \\"\\$GIT_PUSH_OPTION_$option\\""
    option=$((option + 1))
  done
  cat
  printf '\\0'
} >&3
cat <&4 >&2
code=1
read -r code <&5
exit "\${code:-1}"
`

/**
 * githooks(5), reference-transaction: called when refs have moved, and before git tells its client so. Git syncs the
 * content of files; that they are where their names say is on the disk when their folders are.
 */
export const referenceTransactionScript = `#!/bin/sh
[ "$1" = committed ] || exit 0
cat >/dev/null
cd "\${GIT_DIR:-.}" && exec sync . objects objects/pack $(find refs -type d)
`

/**
 * The push that a hook tells of; undefined where the channel ends without one (nothing was pushed, or the pack
 * was refused before, or git was ended).
 * @throws invalid where the push has too many refs or options
 */
export async function readPush(channel: Readable, repository: string): Promise<QuarantinedPush | undefined> {
  try {
    const message = await readMessage(channel)
    return message === undefined ? undefined : parsePush(message, repository)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_STREAM_PREMATURE_CLOSE') return undefined
    throw error
  }
}

/** All fields, once the last of them has come. What is too much is read, so that the hook goes on, but not kept. */
async function readMessage(channel: Readable): Promise<string | undefined> {
  let kept: Buffer[] = []
  let size = 0
  let fields = 0
  let due = Number.POSITIVE_INFINITY
  for await (const piece of channel as AsyncIterable<Buffer>) {
    size += piece.length
    if (size <= longestMessage) kept.push(piece)
    for (const byte of piece) if (byte === 0) fields++
    if (fields >= 3 && due === Number.POSITIVE_INFINITY) {
      kept = [Buffer.concat(kept)]
      due = 4 + Number(kept[0]!.toString('utf8').split('\0')[2])
    }
    if (fields >= due) break
  }
  if (size > longestMessage)
    throw invalid('The push has too many refs or options.', { hint: 'Push one branch: git push kernel main' })
  return fields >= due ? Buffer.concat(kept).toString('utf8') : undefined
}

function parsePush(message: string, repository: string): QuarantinedPush {
  const [objects = '', alternates = '', count = '0', ...rest] = message.split('\0')
  const options = rest.slice(0, Number(count))
  const updates = (rest[options.length] ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [oldRev = '', newRev = '', ...ref] = line.split(' ')
      return { oldRev, newRev, ref: ref.join(' ') }
    })
  const absolute = (path: string) => (isAbsolute(path) ? path : resolve(repository, path))
  return {
    env: { GIT_OBJECT_DIRECTORY: absolute(objects), GIT_ALTERNATE_OBJECT_DIRECTORIES: absolute(alternates) },
    options,
    updates,
  }
}
