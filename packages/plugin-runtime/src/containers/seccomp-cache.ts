/** Compiled seccomp filters, so that only the first container of a kind waits for the compiler. @module */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { OciSpec } from './oci-types.ts'

/** crun takes a filter in the kernel's own form by this annotation (crun(1), run.oci.seccomp_bpf_data). */
const ANNOTATION = 'run.oci.seccomp_bpf_data'

export interface SeccompCache {
  /** The specification with the compiled filter, where it is known. */
  apply(spec: OciSpec): OciSpec
  /** Keeps what crun compiled for a container that it has just created. */
  learn(spec: OciSpec, id: string): void
}

/**
 * Compiling Docker's profile takes libseccomp 11 ms, more than all else that crun does; it leaves the result in
 * its state folder.
 * @param root crun's state folder; undefined where the runtime can't do this
 */
export function createSeccompCache(root: string | undefined): SeccompCache {
  const filters = new Map<string, string>()
  const keyOf = (spec: OciSpec) =>
    createHash('sha256').update(JSON.stringify(spec.linux.seccomp)).digest('base64')
  return {
    apply: (spec) => {
      const filter = root && spec.linux.seccomp ? filters.get(keyOf(spec)) : undefined
      return filter ? { ...spec, annotations: { ...spec.annotations, [ANNOTATION]: filter } } : spec
    },
    learn: (spec, id) => {
      if (!root || !spec.linux.seccomp || spec.annotations?.[ANNOTATION]) return
      try {
        filters.set(keyOf(spec), readFileSync(join(root, id, 'seccomp.bpf'), 'base64'))
      } catch {
        // A crun that keeps it elsewhere: it goes on compiling.
      }
    },
  }
}
