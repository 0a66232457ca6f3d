/** Which app a path in a Git URL means. @module */
import { invalid } from '@kernel/contracts'

/**
 * The app behind `app`, `/app`, `~/app`, `/~/app`, each with or without `.git` and a final slash: the forms
 * that `host:app`, `ssh://host/app` and their like arrive in.
 * @throws invalid where what is left is no name of an app, which also keeps paths from leading anywhere
 */
export function appOfPath(path: string): string {
  const name = path
    .replace(/^\/?(~\/)?/, '')
    .replace(/\/$/, '')
    .replace(/\.git$/, '')
  if (!isAppName(name))
    throw invalid(`${JSON.stringify(path.slice(0, 200))} is not the name of an app.`, {
      hint: 'Use lower-case letters, digits, dots and dashes: git remote add kernel kernel@host:my-app',
    })
  return name
}

/** Dokku's rule, and short enough for a label of a host name. */
export function isAppName(name: string): boolean {
  return /^[a-z0-9][a-z0-9.-]{0,62}$/.test(name) && name !== 'global'
}
