use crate::ArchiveError;
use crate::error::Kind;

/// The unit of a tar file.
pub(crate) const BLOCK_BYTES: usize = 512;

pub(crate) type Block = [u8; BLOCK_BYTES];

/// What a header block announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    File,
    Folder,
    /// PAX records for the member that follows.
    Pax,
    /// PAX records for all members that follow.
    GlobalPax,
    /// GNU's long path for the member that follows.
    LongPath,
    Forbidden(Kind),
}

/// The fields that matter of one header block.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) entry: Entry,
    /// As the plain header has it: at most 100 bytes and a prefix of 155, in whatever encoding.
    pub(crate) path: Vec<u8>,
    pub(crate) size: u64,
}

impl Header {
    pub(crate) fn parse(block: &Block) -> Result<Self, ArchiveError> {
        let stored = number(field(block, 148, 8))
            .ok_or(ArchiveError::Corrupt("a header's checksum is not a number"))?;
        if stored != checksum(block) {
            return Err(ArchiveError::Corrupt("a header's checksum is wrong"));
        }
        let size = number(field(block, 124, 12))
            .ok_or(ArchiveError::Corrupt("a member's size is not a number"))?;
        let letter = field(block, 156, 1).first().copied().unwrap_or_default();
        Ok(Self {
            entry: entry(letter),
            path: path(block),
            size,
        })
    }
}

fn entry(letter: u8) -> Entry {
    match letter {
        // `7` is a file that wants to lie in one piece: a regular one to all who cannot do that.
        0 | b'0' | b'7' => Entry::File,
        b'1' => Entry::Forbidden(Kind::HardLink),
        b'2' | b'K' => Entry::Forbidden(Kind::Symlink),
        b'3' | b'4' => Entry::Forbidden(Kind::Device),
        b'5' => Entry::Folder,
        b'6' => Entry::Forbidden(Kind::Fifo),
        b'L' => Entry::LongPath,
        b'S' => Entry::Forbidden(Kind::Sparse),
        b'g' => Entry::GlobalPax,
        b'x' => Entry::Pax,
        other => Entry::Forbidden(Kind::Other(other)),
    }
}

fn field(block: &Block, start: usize, len: usize) -> &[u8] {
    block.get(start..start + len).unwrap_or_default()
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn path(block: &Block) -> Vec<u8> {
    let name = until_nul(field(block, 0, 100));
    let prefix = until_nul(field(block, 345, 155));
    // GNU keeps times where POSIX keeps the prefix.
    if field(block, 257, 8) != b"ustar\x0000" || prefix.is_empty() {
        return name.to_vec();
    }
    [prefix, b"/", name].concat()
}

fn checksum(block: &Block) -> u64 {
    let bytes: u64 = block.iter().copied().map(u64::from).sum();
    let own: u64 = field(block, 148, 8).iter().copied().map(u64::from).sum();
    bytes - own + 8 * u64::from(b' ')
}

/// Octal digits between blanks and NULs, or GNU's big-endian form with the top bit set.
fn number(field: &[u8]) -> Option<u64> {
    if let Some((0x80, rest)) = field.split_first().map(|(first, rest)| (*first, rest)) {
        return rest.iter().try_fold(0_u64, |sum, byte| {
            sum.checked_mul(256)?.checked_add(u64::from(*byte))
        });
    }
    let blank = |byte: &u8| matches!(*byte, b' ' | 0);
    let begin = field.iter().position(|byte| !blank(byte))?;
    let digits = field.get(begin..)?;
    let end = digits.iter().position(blank).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at_checked(end)?;
    if !rest.iter().all(blank) {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, digit| match digit {
        b'0'..=b'7' => sum.checked_mul(8)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_both_forms_and_nothing_else_is() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"   644 \0"), Some(0o644));
        assert_eq!(number(b"77777777777\0"), Some(0o77_777_777_777));
        assert_eq!(number(b"\x80\0\0\0\0\0\0\x02\0\0\0\0"), Some(2 << 32));
        for bad in [
            &b"\0\0\0\0"[..],
            b"+644\0",
            b"-1\0",
            b"648\0",
            b"6 4\0",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert_eq!(number(bad), None, "{}", bad.escape_ascii());
        }
    }
}
