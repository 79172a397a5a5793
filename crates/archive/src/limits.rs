use std::time::Duration;

/// How much an archive may ask of its reader. Everything is checked while reading, before memory
/// is taken or more is unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Members of every kind, folders and extension headers included; gzip members as well.
    /// 100,000 by default.
    pub members: u64,
    /// Bytes that come out of the decompressor, headers and padding included. 2 GiB by default.
    pub unpacked_bytes: u64,
    /// Bytes of one member's path. 1024 by default.
    pub member_path_bytes: usize,
    /// Bytes of one PAX or GNU extension header, which has to be held in memory. 1 MiB by default.
    pub header_block_bytes: u64,
    /// How many times larger than the packed bytes the unpacked ones may be. 500 by default:
    /// deflate reaches 1032 at most, and packages that people made stay below 100.
    pub ratio: u64,
    /// The first unpacked bytes, to which the ratio does not apply. 16 MiB by default.
    pub ratio_free_bytes: u64,
    /// Time from the first byte to the last, whoever is slow. One minute by default.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            members: 100_000,
            unpacked_bytes: 2 << 30,
            member_path_bytes: 1024,
            header_block_bytes: 1 << 20,
            ratio: 500,
            ratio_free_bytes: 16 << 20,
            time: Duration::from_secs(60),
        }
    }
}
