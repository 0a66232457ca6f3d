/** A word with a colour that says how it is. */
export function State({ state }: { state: string }) {
  return <span class={`state ${state}`}>{state}</span>
}
