/** Names of containers. @module */
import { randomInt } from 'node:crypto'
import { invalid } from '@kernel/contracts'

const ADJECTIVES =
  `admiring agile amber balanced blissful bold brave bright busy calm candid careful cheerful clever
  cosmic crisp curious dapper daring dazzling eager early elegant epic fearless festive focused friendly gallant
  gentle gifted golden graceful happy hardy hopeful humble jolly keen kind lively loving lucid lucky mellow merry
  modest nimble noble optimistic patient peaceful polite proud quick quiet quirky relaxed serene sharp shiny
  silent sleepy smooth steady stoic sunny swift tender thirsty tidy trusting upbeat vibrant vigilant vivid warm
  wise witty wonderful zealous zen`.split(/\s+/)

/** People of science and computing. */
const SURNAMES =
  `agnesi allen archimedes babbage bartik bell bohr boltzmann borg brahmagupta burnell carson cerf
  chandrasekhar church clarke cohen curie darwin davinci diffie dijkstra easley einstein elion engelbart euclid
  euler faraday feistel fermat fermi feynman franklin galileo galois gauss germain goldberg goodall hamilton
  hawking heisenberg hellman hertz hodgkin hopper hypatia jennings johnson kalam kepler khayyam knuth kovalevskaya
  lamarr leakey liskov lovelace mayer mccarthy mcclintock meitner mendel mirzakhani morse napier nash newton
  nightingale nobel noether pascal pasteur perlman pike planck poincare ptolemy ramanujan ride ritchie roentgen
  rosalind rubin sammet shannon shockley sinoussi stallman swartz tesla thompson torvalds turing volta wiles
  williams wilson wozniak wright yalow yonath`.split(/\s+/)

/**
 * A name nobody has: `adjective_surname`, with a digit after some tries.
 * @param taken whether a name is in use
 */
export function randomName(taken: (name: string) => boolean): string {
  const pick = (words: string[]) => words[randomInt(words.length)]
  for (let tries = 0; ; tries++) {
    const name = `${pick(ADJECTIVES)}_${pick(SURNAMES)}${tries < 6 ? '' : randomInt(10 ** Math.min(tries, 9))}`
    if (!taken(name)) return name
  }
}

/** @returns the name without its slash; @throws invalid in dockerd's words */
export function checkName(given: string): string {
  const name = given.replace(/^\//, '')
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name))
    throw invalid(`Invalid container name (${given}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`)
  return name
}
