import type { PublishedPort } from './records.ts'

/** What the rules have to know of a bridge network. */
export interface BridgeRules {
  link: string
  subnet: string
  /** Nothing leaves it and nothing comes in. */
  internal: boolean
  /** Containers reach other networks under this machine's address. */
  masquerade: boolean
}

/** A published port together with the container it leads to. */
export interface PortRule extends PublishedPort {
  address: string
}

/**
 * The whole table, to be applied in one transaction that replaces the old one.
 *
 * - `publish`: a port of this machine leads to a container, for visitors from outside, from here (also by
 *   127.0.0.1), and from containers by this machine's address.
 * - `leave`: containers go out under this machine's address. Two more cases need our address as the sender, or
 *   the answer would not come back through us: local visitors by 127.0.0.1, and a container that visits a port
 *   published by a neighbour on its own bridge.
 * - `forward`: only packets from or to our bridges are judged; all others pass on to other tables. Networks are
 *   closed to each other, and from outside only published ports are open. An `accept` here ends this chain only:
 *   a firewall whose own forward chain drops (Docker's, ufw) still does.
 * - `guard`: route_localnet opens 127.0.0.0/8 to our bridges, for answers; containers must not start there.
 */
export function renderTable(table: string, bridges: BridgeRules[], ports: PortRule[]): string {
  const open = bridges.filter((bridge) => bridge.masquerade && !bridge.internal)
  return `table ip ${table} {}
delete table ip ${table}
table ip ${table} {
  set bridges { type ifname; ${elements(bridges.map((bridge) => quote(bridge.link)))} }
  set internal { type ifname; ${elements(bridges.filter((b) => b.internal).map((b) => quote(b.link)))} }
  set within { type ifname . ifname; ${elements(bridges.map((b) => `${quote(b.link)} . ${quote(b.link)}`))} }
  set masqueraded { type ipv4_addr; flags interval; ${elements(open.map((bridge) => bridge.subnet))} }
  set home { type ipv4_addr . ifname; flags interval; ${elements(bridges.map((b) => `${b.subnet} . ${quote(b.link)}`))} }
  map ports { type inet_proto . inet_service : ipv4_addr . inet_service; ${elements(ports.filter((port) => !isAt(port)).map(portElement))} }
  map ports_at { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; ${elements(ports.filter(isAt).map(portElement))} }

  chain publish {
    dnat ip to ip daddr . meta l4proto . th dport map @ports_at
    fib daddr type local dnat ip to meta l4proto . th dport map @ports
  }
  chain arrive { type nat hook prerouting priority dstnat; policy accept; jump publish; }
  chain local { type nat hook output priority -100; policy accept; jump publish; }
  chain leave {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr @masqueraded oifname != @bridges masquerade
    ip saddr 127.0.0.0/8 oifname @bridges masquerade
    ct status dnat ip saddr . oifname @home masquerade
  }
  chain guard {
    type filter hook prerouting priority raw; policy accept;
    iifname @bridges ip daddr 127.0.0.0/8 drop
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname != @bridges oifname != @bridges accept
    iifname . oifname @within accept
    iifname @internal drop
    oifname @internal drop
    ct state established,related accept
    ct status dnat accept
    oifname @bridges drop
  }
}
`
}

/** One command line that opens and closes ports, in one transaction. */
export function portCommands(table: string, verb: 'add' | 'delete', ports: PortRule[]): string {
  return ports
    .map((port) => {
      const element = verb === 'add' ? portElement(port) : portKey(port)
      return `${verb} element ip ${table} ${isAt(port) ? 'ports_at' : 'ports'} { ${element} }`
    })
    .join('; ')
}

/** One command line that lets a bridge in or takes it out, in one transaction. */
export function bridgeCommands(table: string, verb: 'add' | 'delete', bridge: BridgeRules): string {
  const link = quote(bridge.link)
  const sets: Array<[string, string]> = [
    ['bridges', link],
    ['within', `${link} . ${link}`],
    ['home', `${bridge.subnet} . ${link}`],
  ]
  if (bridge.internal) sets.push(['internal', link])
  else if (bridge.masquerade) sets.push(['masqueraded', bridge.subnet])
  return sets.map(([set, element]) => `${verb} element ip ${table} ${set} { ${element} }`).join('; ')
}

/** Whether it is open at one address of this machine only. */
function isAt(port: PortRule): boolean {
  return port.hostIp !== '0.0.0.0'
}

function portKey(port: PortRule): string {
  const key = `${port.protocol} . ${port.hostPort}`
  return isAt(port) ? `${port.hostIp} . ${key}` : key
}

function portElement(port: PortRule): string {
  return `${portKey(port)} : ${port.address} . ${port.containerPort}`
}

function elements(list: string[]): string {
  return list.length === 0 ? '' : `elements = { ${list.join(', ')} }`
}

function quote(name: string): string {
  return `"${name}"`
}
