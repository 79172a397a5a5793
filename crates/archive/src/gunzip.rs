use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::time::Instant;

use flate2::bufread::GzDecoder;

use crate::{ArchiveError, Limits};

/// What is read of the packed bytes at once.
const BUFFER_BYTES: usize = 32 * 1024;

/// Unpacks gzip members that follow each other, within limits. Once it failed it keeps failing.
pub struct Gunzip<R> {
    state: State<R>,
    limits: Limits,
    began: Instant,
    gzip_members: u64,
    unpacked: u64,
}

impl<R> fmt::Debug for Gunzip<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gunzip")
            .field("unpacked", &self.unpacked)
            .finish_non_exhaustive()
    }
}

type Packed<R> = BufReader<Counted<R>>;

enum State<R> {
    Between(Packed<R>),
    Inflating(Box<GzDecoder<Packed<R>>>),
    Ended,
    Failed,
}

impl<R: Read> Gunzip<R> {
    /// Begins with the first byte that `reader` gives; the clock of [`Limits::time`] begins as well.
    ///
    /// What is wrong with the bytes comes out of reading as an [`io::Error`], and turns into an
    /// [`ArchiveError`] again with `From`.
    pub fn new(reader: R, limits: &Limits) -> Self {
        let counted = Counted { reader, bytes: 0 };
        Self {
            state: State::Between(BufReader::with_capacity(BUFFER_BYTES, counted)),
            limits: limits.clone(),
            began: Instant::now(),
            gzip_members: 0,
            unpacked: 0,
        }
    }

    /// Fills some of `out`; 0 at the end of the last member, or if `out` is empty.
    fn advance(&mut self, out: &mut [u8]) -> Result<usize, ArchiveError> {
        loop {
            match std::mem::replace(&mut self.state, State::Failed) {
                State::Between(packed) => self.state = self.next_member(packed)?,
                State::Inflating(mut decoder) => {
                    let count = decoder.read(out).map_err(damage)?;
                    if count == 0 && !out.is_empty() {
                        self.state = State::Between(decoder.into_inner());
                        continue;
                    }
                    self.account(count, decoder.get_ref().get_ref().bytes)?;
                    self.state = State::Inflating(decoder);
                    return Ok(count);
                }
                State::Ended => {
                    self.state = State::Ended;
                    return Ok(0);
                }
                State::Failed => {
                    return Err(ArchiveError::Corrupt("it was read on after a failure"));
                }
            }
        }
    }

    fn next_member(&mut self, mut packed: Packed<R>) -> Result<State<R>, ArchiveError> {
        let first = packed.fill_buf()?.first().copied();
        match first {
            Some(0x1f) => {}
            _ if self.gzip_members == 0 => return Err(ArchiveError::NotGzip),
            None => return Ok(State::Ended),
            Some(_) => return only_zeros(packed).map(|()| State::Ended),
        }
        self.gzip_members += 1;
        if self.gzip_members > self.limits.members {
            return Err(ArchiveError::TooManyMembers {
                limit: self.limits.members,
            });
        }
        // An empty member yields nothing, so it has to be timed here.
        self.check_time()?;
        let mut decoder = GzDecoder::new(packed);
        if decoder.header().is_none() {
            // It says why when it is read.
            return Err(match decoder.read(&mut [0]).map_err(damage) {
                Err(ArchiveError::Corrupt(_)) if self.gzip_members == 1 => ArchiveError::NotGzip,
                Err(error) => error,
                Ok(_) => ArchiveError::NotGzip,
            });
        }
        Ok(State::Inflating(Box::new(decoder)))
    }

    fn account(&mut self, count: usize, packed: u64) -> Result<(), ArchiveError> {
        self.unpacked = self
            .unpacked
            .saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        if self.unpacked > self.limits.unpacked_bytes {
            return Err(ArchiveError::TooLarge {
                limit: self.limits.unpacked_bytes,
            });
        }
        if self.unpacked > self.limits.ratio_free_bytes
            && self.unpacked > packed.saturating_mul(self.limits.ratio)
        {
            return Err(ArchiveError::TooDense {
                limit: self.limits.ratio,
            });
        }
        self.check_time()
    }

    fn check_time(&self) -> Result<(), ArchiveError> {
        if self.began.elapsed() > self.limits.time {
            return Err(ArchiveError::TooSlow {
                limit: self.limits.time,
            });
        }
        Ok(())
    }
}

impl<R: Read> Read for Gunzip<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        Ok(self.advance(out)?)
    }
}

/// Tapes and some tools pad the file itself.
fn only_zeros<R: Read>(mut packed: Packed<R>) -> Result<(), ArchiveError> {
    loop {
        let bytes = packed.fill_buf()?;
        if bytes.is_empty() {
            return Ok(());
        }
        if bytes.iter().any(|byte| *byte != 0) {
            return Err(ArchiveError::TrailingData);
        }
        let count = bytes.len();
        packed.consume(count);
    }
}

/// Sorts what the decoder says. Failures of the reader below come marked by [`Counted`].
fn damage(error: io::Error) -> ArchiveError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => ArchiveError::Truncated,
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            ArchiveError::Corrupt("its compression does not add up")
        }
        _ => error.into(),
    }
}

/// Counts the packed bytes, and keeps the reader's own failures apart from the decoder's.
struct Counted<R> {
    reader: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.reader.read(out) {
                Ok(count) => {
                    self.bytes = self
                        .bytes
                        .saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
                    return Ok(count);
                }
                Err(again) if again.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ArchiveError::Io(error).into()),
            }
        }
    }
}
