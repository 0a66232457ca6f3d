/** What a branch stands at. @module */
import type { Git } from './git.ts'

export interface BranchHead {
  rev: string
  subject: string
  author: string
  /** RFC 3339. */
  time: string
}

/** The last commit of a branch; undefined where there is no such branch. */
export async function branchHead(
  git: Git,
  repository: string,
  branch: string,
): Promise<BranchHead | undefined> {
  const format = ['objectname', 'contents:subject', 'authorname', 'authordate:iso-strict']
    .map((field) => `%(${field})`)
    .join('%00')
  // A pattern without wildcards names this ref or those in a folder of this name.
  if (/[*?[\\]/.test(branch)) return undefined
  const ref = `refs/heads/${branch}`
  const lines = await git.run(['for-each-ref', `--format=%(refname)%00${format}`, ref], { cwd: repository })
  for (const line of lines.split('\n')) {
    const [name, rev = '', subject = '', author = '', time = ''] = line.split('\0')
    if (name === ref) return { rev, subject, author, time }
  }
  return undefined
}
