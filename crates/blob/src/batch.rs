use bytes::{Bytes, BytesMut};

/// Pieces this long are kept as they are; shorter ones are copied together, because a short
/// slice can hold a whole network buffer in memory.
const KEEP_BYTES: usize = 16 * 1024;

/// From this size on a batch is worth a hop to another thread.
const FULL_BYTES: usize = 1024 * 1024;

/// Pieces of a body, gathered until it pays to hand them to another thread.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pieces: Vec<Bytes>,
    tail: BytesMut,
    len: usize,
}

impl Batch {
    pub(crate) fn push(&mut self, bytes: Bytes) {
        self.len = self.len.saturating_add(bytes.len());
        if bytes.len() < KEEP_BYTES {
            self.tail.extend_from_slice(&bytes);
            return;
        }
        self.close_tail();
        self.pieces.push(bytes);
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len >= FULL_BYTES
    }

    /// The pieces in order; the batch is empty afterwards.
    pub(crate) fn take(&mut self) -> Vec<Bytes> {
        self.close_tail();
        self.len = 0;
        std::mem::take(&mut self.pieces)
    }

    /// A copy of everything in it.
    pub(crate) fn copy(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.len);
        for piece in &self.pieces {
            all.extend_from_slice(piece);
        }
        all.extend_from_slice(&self.tail);
        all
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.pieces.push(self.tail.split().freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_out_in_order_and_small_ones_together() {
        let mut batch = Batch::default();
        batch.push(Bytes::from_static(b"a"));
        batch.push(Bytes::from_static(b"b"));
        batch.push(Bytes::from(vec![b'c'; KEEP_BYTES]));
        batch.push(Bytes::from_static(b"d"));
        let copy = batch.copy();

        let pieces = batch.take();

        assert_eq!(
            pieces.iter().map(Bytes::len).collect::<Vec<_>>(),
            [2, KEEP_BYTES, 1]
        );
        assert_eq!(pieces.concat(), copy);
        assert_eq!(batch.len(), 0);
        assert!(batch.take().is_empty());
    }
}
