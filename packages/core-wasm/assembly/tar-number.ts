// Numbers as tar writes them. A field that is no number sets `bad` and gives 0.

export let bad: bool = false

export function clearBad(): void {
  bad = false
}

export function markBad(): void {
  bad = true
}

@inline function fail(): i64 {
  bad = true
  return 0
}

/** A header's numeric field: octal digits between spaces and NULs, or base-256 where the first bit is set. */
export function numeric(p: usize, n: u32): i64 {
  return load<u8>(p) & 0x80 ? base256(p, n) : octal(p, n)
}

function octal(p: usize, n: u32): i64 {
  let i: u32 = 0
  while (i < n && (load<u8>(p + i) == 32 || load<u8>(p + i) == 0)) i++
  let value: i64 = 0
  for (; i < n; i++) {
    const c = load<u8>(p + i)
    if (c == 0) return value
    if (c == 32) break
    if (c < 48 || c > 55) return fail()
    value = (value << 3) | <i64>(c - 48)
  }
  for (; i < n; i++) {
    const c = load<u8>(p + i)
    if (c == 0) return value
    if (c != 32) return fail()
  }
  return value
}

// Two's complement, big endian; the first bit marks the format, the second is the sign. What leaves 63 bits is refused.
function base256(p: usize, n: u32): i64 {
  const invert: u8 = load<u8>(p) & 0x40 ? 0xff : 0
  let value: u64 = 0
  for (let i: u32 = 0; i < n; i++) {
    let c = load<u8>(p + i) ^ invert
    if (i == 0) c &= 0x7f
    if (value >>> 55) return fail()
    value = (value << 8) | <u64>c
  }
  return invert ? ~(<i64>value) : <i64>value
}

/** Decimal digits only, up to 2^53 - 1. */
export function decimal(p: usize, n: u32): i64 {
  if (n == 0 || n > 16) return fail()
  let value: i64 = 0
  for (let i: u32 = 0; i < n; i++) {
    const c = load<u8>(p + i)
    if (c < 48 || c > 57) return fail()
    value = value * 10 + <i64>(c - 48)
  }
  return value > 9007199254740991 ? fail() : value
}

/** Seconds as a pax header writes them: `-?digits(.digits)?`; digits beyond nanoseconds are dropped. */
export function seconds(p: usize, n: u32): f64 {
  const negative = n > 0 && load<u8>(p) == 45
  let i: u32 = negative ? 1 : 0
  let dot = i
  while (dot < n && load<u8>(p + dot) != 46) dot++
  const whole = decimal(p + i, dot - i)
  let nanos: f64 = 0
  let unit: f64 = 100000000
  for (i = dot + 1; i < n; i++) {
    const c = load<u8>(p + i)
    if (c < 48 || c > 57) {
      bad = true
      return 0
    }
    nanos += <f64>(c - 48) * unit
    unit = unit == 1 ? 0 : unit / 10
  }
  const value = <f64>whole + nanos / 1e9
  return negative ? -value : value
}
