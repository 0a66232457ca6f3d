import type { DeployLine } from '@kernel/contracts'
import { useEffect, useRef, useState } from 'preact/hooks'
import { api } from '../api.ts'

const prefix: Record<DeployLine['kind'], string> = {
  section: '=====> ',
  step: '-----> ',
  detail: '       ',
  error: ' !     ',
}

/** What a deploy writes, line by line as it does; stays at the end unless the reader scrolled up. */
export function DeployLog({ id, live }: { id: string; live: boolean }) {
  const [lines, setLines] = useState<DeployLine[]>([])
  const [error, setError] = useState('')
  const box = useRef<HTMLPreElement>(null)
  const atEnd = useRef(true)
  useEffect(() => {
    const abort = new AbortController()
    async function read() {
      try {
        for await (const line of api.deployOutput(id, abort.signal)) setLines((all) => [...all, line])
      } catch (failure) {
        if (!abort.signal.aborted) setError((failure as Error).message)
      }
    }
    setLines([])
    void read()
    return () => abort.abort()
  }, [id])
  useEffect(() => {
    if (box.current && atEnd.current) box.current.scrollTop = box.current.scrollHeight
  }, [lines])
  return (
    <>
      <h2>Log {live && <span class="state deploying">live</span>}</h2>
      <pre
        class="log"
        ref={box}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it
        tabIndex={0}
        onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
          atEnd.current = scrollTop + clientHeight > scrollHeight - 20
        }}
      >
        {lines.map((line, index) => (
          <span key={index} class={line.kind}>
            {`${prefix[line.kind]}${line.text}\n`}
          </span>
        ))}
      </pre>
      {error && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
    </>
  )
}
