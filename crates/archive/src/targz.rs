use std::fmt;
use std::io::{self, Read};

use crate::error::shown;
use crate::extension::Extension;
use crate::gunzip::Gunzip;
use crate::header::{BLOCK_BYTES, Block, Entry, Header};
use crate::{ArchiveError, Limits, MemberPath};

/// A gzipped tar, read member by member and never unpacked to disk.
///
/// Only an archive whose [`next_member`](TarGz::next_member) came to `None` is known to be whole:
/// checksums and what follows the end are checked on the way there. It reads in small steps and
/// blocks as its reader does.
pub struct TarGz<R> {
    source: Gunzip<R>,
    limits: Limits,
    members: u64,
    /// Bytes of the current member that were not read yet, and those that fill its last block.
    data_left: u64,
    padding_left: u64,
    progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Reading,
    Ended,
    Failed,
}

impl<R: Read> TarGz<R> {
    /// Begins with the first byte that `reader` gives; the clock of
    /// [`Limits::time`] begins as well.
    pub fn new(reader: R, limits: &Limits) -> Self {
        Self {
            source: Gunzip::new(reader, limits),
            limits: limits.clone(),
            members: 0,
            data_left: 0,
            padding_left: 0,
            progress: Progress::Reading,
        }
    }

    /// The next regular file, in the archive's order; `None` after the last one. Folders are
    /// checked and passed over. The same path may come twice: what that means is the caller's.
    ///
    /// # Errors
    /// Why the archive is refused. Once refused, it stays so.
    pub fn next_member(&mut self) -> Result<Option<Member<'_, R>>, ArchiveError> {
        match std::mem::replace(&mut self.progress, Progress::Failed) {
            Progress::Reading => {}
            Progress::Ended => {
                self.progress = Progress::Ended;
                return Ok(None);
            }
            Progress::Failed => {
                return Err(ArchiveError::Corrupt("it was read on after a failure"));
            }
        }
        let Some((path, size)) = self.advance()? else {
            self.progress = Progress::Ended;
            return Ok(None);
        };
        self.progress = Progress::Reading;
        Ok(Some(Member {
            archive: self,
            path,
            size,
        }))
    }

    fn advance(&mut self) -> Result<Option<(MemberPath, u64)>, ArchiveError> {
        self.skip_data()?;
        let mut extension: Option<Extension> = None;
        loop {
            let block = self.block()?;
            if block.iter().all(|byte| *byte == 0) {
                if extension.is_some() {
                    return Err(ArchiveError::Corrupt("an extension header extends nothing"));
                }
                self.only_zeros()?;
                return Ok(None);
            }
            let header = Header::parse(&block)?;
            self.count_member()?;
            match header.entry {
                Entry::File => {
                    self.expect_data(header.size)?;
                    let path = extension.unwrap_or_default().apply(&header, &self.limits)?;
                    return Ok(Some((path, header.size)));
                }
                Entry::Folder => {
                    if header.size != 0 {
                        return Err(ArchiveError::Corrupt("a folder has content"));
                    }
                    extension
                        .take()
                        .unwrap_or_default()
                        .apply(&header, &self.limits)?;
                }
                Entry::Pax | Entry::LongPath | Entry::GlobalPax if extension.is_some() => {
                    return Err(ArchiveError::Corrupt(
                        "an extension header follows another one",
                    ));
                }
                Entry::Pax => extension = Some(Extension::pax(&self.extension_block(&header)?)?),
                Entry::LongPath => {
                    extension = Some(Extension::long_path(&self.extension_block(&header)?));
                }
                Entry::GlobalPax => Extension::global_pax(&self.extension_block(&header)?)?,
                Entry::Forbidden(kind) => {
                    return Err(ArchiveError::Forbidden {
                        kind,
                        path: shown(&header.path),
                    });
                }
            }
        }
    }

    fn count_member(&mut self) -> Result<(), ArchiveError> {
        self.members += 1;
        if self.members > self.limits.members {
            return Err(ArchiveError::TooManyMembers {
                limit: self.limits.members,
            });
        }
        Ok(())
    }

    /// Notes what follows a header; a size that cannot fit is refused before anything is read.
    fn expect_data(&mut self, size: u64) -> Result<(), ArchiveError> {
        if size > self.limits.unpacked_bytes {
            return Err(ArchiveError::TooLarge {
                limit: self.limits.unpacked_bytes,
            });
        }
        self.data_left = size;
        self.padding_left = size.next_multiple_of(512) - size;
        Ok(())
    }

    fn extension_block(&mut self, header: &Header) -> Result<Vec<u8>, ArchiveError> {
        let limit = self.limits.header_block_bytes;
        if header.size > limit {
            return Err(ArchiveError::HeaderTooLong { limit });
        }
        self.expect_data(header.size)?;
        let mut bytes = Vec::new();
        Data(self).read_to_end(&mut bytes)?;
        self.skip_data()?;
        Ok(bytes)
    }

    /// A whole block; an archive must not end without its end mark, so there has to be one.
    fn block(&mut self) -> Result<Block, ArchiveError> {
        let mut block = [0; BLOCK_BYTES];
        match self.source.read_exact(&mut block) {
            Ok(()) => Ok(block),
            Err(end) if end.kind() == io::ErrorKind::UnexpectedEof => Err(ArchiveError::Truncated),
            Err(error) => Err(error.into()),
        }
    }

    fn skip_data(&mut self) -> Result<(), ArchiveError> {
        io::copy(&mut Data(self), &mut io::sink())?;
        let padding = std::mem::take(&mut self.padding_left);
        let skipped = io::copy(&mut (&mut self.source).take(padding), &mut io::sink())?;
        if skipped < padding {
            return Err(ArchiveError::Truncated);
        }
        Ok(())
    }

    /// Reads to the very end, which also checks the compressor's last checksum.
    fn only_zeros(&mut self) -> Result<(), ArchiveError> {
        let mut buffer = [0; 4096];
        loop {
            let count = match self.source.read(&mut buffer) {
                Ok(count) => count,
                Err(again) if again.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            if count == 0 {
                return Ok(());
            }
            if buffer.iter().take(count).any(|byte| *byte != 0) {
                return Err(ArchiveError::TrailingData);
            }
        }
    }
}

impl<R> fmt::Debug for TarGz<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TarGz")
            .field("members", &self.members)
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

/// The rest of the current member's bytes.
struct Data<'a, R>(&'a mut TarGz<R>);

impl<R: Read> Read for Data<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let archive = &mut *self.0;
        let left = archive.data_left;
        let count = (&mut archive.source).take(left).read(out)?;
        if count == 0 && left > 0 && !out.is_empty() {
            return Err(ArchiveError::Truncated.into());
        }
        archive.data_left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(count)
    }
}

/// A regular file of an archive. What is not read of it is passed over.
pub struct Member<'a, R> {
    archive: &'a mut TarGz<R>,
    path: MemberPath,
    size: u64,
}

impl<R: Read> Member<'_, R> {
    /// Where the file lies in the archive.
    #[must_use]
    pub fn path(&self) -> &MemberPath {
        &self.path
    }

    /// How many bytes it has. A claim, but reading gives exactly as many or fails.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The rest of its bytes.
    ///
    /// # Errors
    /// [`ArchiveError::MemberTooLarge`] if it has more than `limit` bytes, before any is read;
    /// whatever is wrong with the archive.
    pub fn read_at_most(&mut self, limit: u64) -> Result<Vec<u8>, ArchiveError> {
        if self.size > limit {
            return Err(ArchiveError::MemberTooLarge {
                path: self.path.as_str().escape_debug().to_string(),
                limit,
            });
        }
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl<R: Read> Read for Member<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        Data(self.archive).read(out)
    }
}

impl<R> fmt::Debug for Member<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("path", &self.path)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}
