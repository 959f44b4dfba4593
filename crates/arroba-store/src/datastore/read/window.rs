//! How many blocks are asked for at once.

use super::super::limits::LOOKUP_KEYS;

/// Follows how large blocks are, so that an answer has about [`WINDOW_BYTES`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    mean: usize,
}

impl Default for Window {
    fn default() -> Self {
        // Near the truth for most, and the first answers, of one node and of a few, correct it before it matters.
        Self { mean: 1_024 }
    }
}

impl Window {
    /// How many blocks to ask for while `held` bytes are in memory that cannot be passed on yet.
    pub(super) fn keys(self, held: usize) -> usize {
        let room = HELD_BYTES.saturating_sub(held).min(WINDOW_BYTES);
        (room / self.mean).clamp(LEAST_KEYS, LOOKUP_KEYS)
    }

    /// Takes note of an answer: what grows counts at once, what shrinks by half.
    pub(super) fn saw(&mut self, blocks: usize, bytes: usize) {
        let Some(mean) = bytes.checked_div(blocks) else { return };
        self.mean = mean.max(usize::midpoint(mean, self.mean)).max(1);
    }
}

/// What an answer should have.
const WINDOW_BYTES: usize = 8 << 20;

/// What may be held while blocks before it are still to be read.
const HELD_BYTES: usize = 16 << 20;

/// The most bytes of blocks in memory where their sizes are alike: what waits, what the reader was given last, and the window that is being
/// read. Where small blocks are followed by large ones, one answer may be larger than a window: up to what an answer may have
/// ([`RESPONSE_BYTES`](super::super::limits::RESPONSE_BYTES)).
#[cfg(all(test, feature = "conformance"))]
pub(super) const HELD_AT_MOST: usize = HELD_BYTES + 2 * WINDOW_BYTES;

/// However large they are: fewer would make an export a series of single reads.
const LEAST_KEYS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_size_of_blocks() {
        let mut window = Window::default();
        assert_eq!(window.keys(0), LOOKUP_KEYS);
        window.saw(10, 10 << 20);
        assert_eq!(window.keys(0), LEAST_KEYS);
        for _ in 0..20 {
            window.saw(100, 100 * 16_384);
        }
        assert_eq!(window.keys(0), WINDOW_BYTES / 16_384);
        assert_eq!(window.keys(HELD_BYTES - (1 << 20)), 64);
        assert_eq!(window.keys(HELD_BYTES * 2), LEAST_KEYS);
        window.saw(0, 0);
        window.saw(5, 0);
        for _ in 0..40 {
            window.saw(1, 0);
        }
        assert_eq!(window.keys(0), LOOKUP_KEYS);
    }
}
