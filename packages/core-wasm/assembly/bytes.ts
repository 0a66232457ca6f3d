// What all modules do to runs of bytes.

/** Whether two runs of `n` bytes are the same. */
export function same(a: usize, b: usize, n: u32): bool {
  let i: u32 = 0
  for (; i + 16 <= n; i += 16) {
    if (v128.any_true(v128.xor(v128.load(a + i), v128.load(b + i)))) return false
  }
  for (; i < n; i++) if (load<u8>(a + i) != load<u8>(b + i)) return false
  return true
}

/** ASCII letters to lower case, in place. */
export function lowerCase(p: usize, n: u32): void {
  let i: u32 = 0
  for (; i + 16 <= n; i += 16) {
    const v = v128.load(p + i)
    const upper = v128.and(i8x16.ge_u(v, i8x16.splat(65)), i8x16.le_u(v, i8x16.splat(90)))
    v128.store(p + i, v128.or(v, v128.and(upper, i8x16.splat(32))))
  }
  for (; i < n; i++) {
    const c = load<u8>(p + i)
    if (c >= 65 && c <= 90) store<u8>(p + i, c | 32)
  }
}

/** Bytes before the first NUL, `n` at most. */
export function textLength(p: usize, n: u32): u32 {
  let i: u32 = 0
  for (; i + 16 <= n; i += 16) {
    const zeros = i8x16.bitmask(i8x16.eq(v128.load(p + i), i8x16.splat(0)))
    if (zeros) return i + <u32>ctz(zeros)
  }
  for (; i < n; i++) if (load<u8>(p + i) == 0) return i
  return n
}

/** The sum of a block of 512 unsigned bytes. */
export function sumBlock(p: usize): u32 {
  let sums = i32x4.splat(0)
  for (let i: usize = 0; i < 512; i += 64) {
    let s = i16x8.add(
      i16x8.extadd_pairwise_i8x16_u(v128.load(p + i)),
      i16x8.extadd_pairwise_i8x16_u(v128.load(p + i, 16)),
    )
    s = i16x8.add(
      s,
      i16x8.add(
        i16x8.extadd_pairwise_i8x16_u(v128.load(p + i, 32)),
        i16x8.extadd_pairwise_i8x16_u(v128.load(p + i, 48)),
      ),
    )
    sums = i32x4.add(sums, i32x4.extadd_pairwise_i16x8_u(s))
  }
  return <u32>(
    (i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1) + i32x4.extract_lane(sums, 2) + i32x4.extract_lane(sums, 3))
  )
}

/** How many of a block's 512 bytes have their high bit set. */
export function highBytes(p: usize): u32 {
  let count: i32 = 0
  for (let i: usize = 0; i < 512; i += 16) count += popcnt(i8x16.bitmask(v128.load(p + i)))
  return <u32>count
}
