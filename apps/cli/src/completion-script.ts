/** What a shell loads to complete the command line. @module */
import root from '@bomb.sh/tab'
import { invalid } from '@kernel/contracts'

export const shells = ['bash', 'zsh', 'fish', 'powershell']

/** Prints what the shell loads. @throws invalid for a shell that is not known */
export function completionScript(shell: string): void {
  if (!shells.includes(shell))
    throw invalid(`There is no completion for ${shell}.`, { hint: `Known: ${shells.join(', ')}` })
  root.setup('kernel', 'kernel', shell)
  if (shell === 'bash') process.stdout.write(bashColons)
}

/** Bash takes `apps:create` for three words: what stands before the last colon must not come twice. */
const bashColons = `
__kernel_complete_colons() {
    local cur
    _get_comp_words_by_ref -n "=:" cur
    __kernel_complete
    declare -F __ltrim_colon_completions >/dev/null && __ltrim_colon_completions "$cur"
}
complete -F __kernel_complete_colons kernel
`
