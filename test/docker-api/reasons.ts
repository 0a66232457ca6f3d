/** Why an answer may differ from dockerd 20.10's: every difference that is meant has a line here. @module */

interface Reason {
  /** Of the call: `GET /containers/{id}/json (unknown name)`. */
  call: RegExp
  /** Of what differs: `status 500, ours 400`. */
  what: RegExp
  why: string
}

const reasons: Reason[] = [
  {
    call: /^PUT .*archive \(read-only/,
    what: /^status 500, ours 403$/,
    why: 'The API says 403 for what is read-only; dockerd before 23 says 500.',
  },
  {
    call: /./,
    what: /^status 500, ours 4(00|04|09)$/,
    why: 'A mistake of the caller is a 4xx, as the API defines it; dockerd before 23 says 500 to many.',
  },
  {
    call: /^POST \/images\/load \(no tar\)/,
    what: /^status 200, ours 400$/,
    why: 'What is no archive is refused before the answer begins; dockerd says so inside the stream.',
  },
  {
    call: /^POST \/images\/\{name\}\/push/,
    what: /^status 200, ours 404$/,
    why: 'A tag that is not there is told by the status; dockerd says so inside the stream.',
  },
  {
    call: /^GET \/images\/search/,
    what: /^status 500, ours 501$/,
    why: 'Searching needs the index of Docker Hub, which this engine does not ask.',
  },
  {
    call: /^POST \/containers\/create \(unknown network\)/,
    what: /^status 201, ours 400$/,
    why: 'A network that is not there is told at the creation, not at the start.',
  },
  {
    call: /^POST \/containers\/create \(bad (ulimit|PID mode|IPC mode|UTS mode|user namespace)\)/,
    what: /^status 201, ours 400$/,
    why: 'What could never be started is refused at the creation.',
  },
  {
    call: /^GET \/info \(version too old\)/,
    what: /^header content-type|^body/,
    why: 'An error is JSON also to clients that are too old to know it.',
  },
  {
    call: /^POST \/containers\/\{id\}\/resize \(not running\)/,
    what: /^status 409, ours 200$/,
    why: 'The size is kept for the start, so that a client may come too early.',
  },
  {
    call: /^GET \/events \(unknown filter\)/,
    what: /^status 200, ours 400$/,
    why: 'An unknown filter is refused, as everywhere else.',
  },
  {
    call: /^PUT \/volumes\/\{name\}/,
    what: /^status 404, ours 503$/,
    why: 'The endpoint came with 1.42; outside a swarm it is refused.',
  },
  {
    call: /^(GET|POST) \/plugins\/(privileges|pull|create)/,
    what: /, ours 501$/,
    why: 'Docker’s managed plugins can’t be installed; this engine has plugins of its own.',
  },
  {
    call: /\/json|^GET \/info/,
    what: /KernelMemory/,
    why: 'Limits of kernel memory are gone from the kernel, and from the API since 1.42.',
  },
  {
    call: /\/attach(\/ws)? \((unknown name|no handshake)\)/,
    what: /^header content-type|^body/,
    why: 'An error is JSON, and says so; dockerd has taken the connection over before it knows.',
  },
]

/** The reason for a difference; undefined: there is none, and it is a fault. */
export function reasonFor(call: string, what: string): string | undefined {
  return reasons.find((reason) => reason.call.test(call) && reason.what.test(what))?.why
}
