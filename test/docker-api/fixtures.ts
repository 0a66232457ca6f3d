/** The archives that the cases send. @module */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { busyboxArchive } from '../harness/docker.ts'
import { type Fixtures, image } from './case.ts'

/** @param dir a temporary folder */
export async function fixtures(dir: string): Promise<Fixtures> {
  const tree = (name: string, files: Record<string, string>): Buffer => {
    const at = join(dir, name)
    mkdirSync(at)
    for (const [path, content] of Object.entries(files)) writeFileSync(join(at, path), content)
    return execFileSync('tar', ['-C', at, '-c', '.'])
  }
  return {
    archive: readFileSync(await busyboxArchive(dir, image)),
    tar: tree('tar', { file: 'content' }),
    context: tree('context', { Dockerfile: `FROM ${image}\nCOPY file /\nRUN cat /file\n`, file: 'content' }),
  }
}
