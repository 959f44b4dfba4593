//! A small deterministic mutator.

/// A generator of numbers (SplitMix64): the same seed, the same run.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, or zero.
    pub const fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { (self.next() % bound as u64) as usize }
    }
}

/// Numbers at which decoders have been wrong.
const EDGES: [u64; 18] = [
    0,
    1,
    0x17,
    0x18,
    0x1f,
    0x40,
    0x5f,
    0x7f,
    0x80,
    0xff,
    0x100,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0xffff_ffff,
    0x20_0000_0000_0000,
    0x7fff_ffff_ffff_ffff,
    u64::MAX,
];

/// Pieces that mean something to some decoder.
const PIECES: [&[u8]; 32] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b":",
    b",",
    b"\\u0000",
    b"\\ud800",
    b"null",
    b"1e9",
    b"-0",
    b"$type",
    b"$link",
    b"$bytes",
    b"\"a\":",
    b"\xd8\x2a\x58\x25\x00",
    b"\x01\x71\x12\x20",
    b"\xa0",
    b"\x80",
    b"\xf6",
    b"\x9b",
    b"\xbb",
    b"\x5b",
    b"\xfb",
    b"\xff\xff\xff\xff",
    b"did:plc:",
    b"at://",
    b".",
    b"/",
    b"#",
    b"\xf0\x9f\x98\x80",
];

/// One to eight changes of `input`, which never grows beyond `limit` bytes; `other` is what is spliced in.
pub fn mutate(input: &[u8], other: &[u8], limit: usize, random: &mut Random) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=random.below(8).min(random.below(8)) {
        change(&mut bytes, other, random);
        bytes.truncate(limit);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let length = bytes.len();
    let at = random.below(length);
    let longest = 1 << random.below(8);
    let span = |random: &mut Random| at..(at + 1 + random.below(longest)).min(length);
    match random.below(11) {
        0 | 1 if length > 0 => bytes[at] ^= 1 << random.below(8),
        2 if length > 0 => bytes[at] = random.next() as u8,
        3 if length > 0 => bytes[at] = bytes[at].wrapping_add(if random.below(2) == 0 { 1 } else { 0xff }),
        4 if length > 0 => {
            let number = EDGES[random.below(EDGES.len())].to_be_bytes();
            let width = [1, 2, 4, 8][random.below(4)];
            for (to, from) in bytes[at..].iter_mut().zip(&number[8 - width..]) {
                *to = *from;
            }
        }
        5 => bytes.truncate(at),
        6 if length > 0 => drop(bytes.drain(span(random))),
        7 if length > 0 => {
            let piece = bytes[span(random)].to_vec();
            let to = random.below(length + 1);
            bytes.splice(to..to, piece);
        }
        8 => {
            let piece = PIECES[random.below(PIECES.len())];
            let end = if random.below(2) == 0 { at } else { (at + piece.len()).min(length) };
            bytes.splice(at..end, piece.iter().copied());
        }
        9 if !other.is_empty() => {
            let from = random.below(other.len());
            let to = from + 1 + random.below(other.len() - from);
            let end = if random.below(2) == 0 { at } else { length };
            bytes.splice(at..end, other[from..to.min(other.len())].iter().copied());
        }
        _ => {
            let count = 1 + random.below(8);
            let piece: Vec<u8> = (0..count).map(|_| random.next() as u8).collect();
            bytes.splice(at..at, piece);
        }
    }
}
