//! Package archives built in memory: honest ones, and every kind of hostile one.
//!
//! The builder refuses nothing: it writes what it is told, so that readers can be shown what no
//! honest tool writes.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tar::{EntryType, Header};

const BLOCK_BYTES: usize = 512;

/// A gzipped tar in the making. Members come in the order in which they are added.
#[derive(Debug, Clone, Default)]
pub struct TarGz {
    tar: Vec<u8>,
}

impl TarGz {
    /// An archive without members.
    #[must_use]
    pub fn builder() -> Self {
        Self::default()
    }

    /// A regular file. The path is cut to the 100 bytes of the plain header; put
    /// [`pax`](TarGz::pax) or [`gnu_long_path`](TarGz::gnu_long_path) before it for a longer one.
    #[must_use]
    pub fn file(self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.entry(EntryType::Regular, path, bytes)
    }

    /// A folder.
    #[must_use]
    pub fn folder(self, path: &str) -> Self {
        self.entry(EntryType::Directory, path, b"")
    }

    /// A symbolic link.
    #[must_use]
    pub fn symlink(self, path: &str, target: &str) -> Self {
        self.link(EntryType::Symlink, path, target)
    }

    /// A hard link.
    #[must_use]
    pub fn hardlink(self, path: &str, target: &str) -> Self {
        self.link(EntryType::Link, path, target)
    }

    /// A character device.
    #[must_use]
    pub fn device(self, path: &str) -> Self {
        self.entry(EntryType::Char, path, b"")
    }

    /// A named pipe.
    #[must_use]
    pub fn fifo(self, path: &str) -> Self {
        self.entry(EntryType::Fifo, path, b"")
    }

    /// PAX records for the member added next.
    #[must_use]
    pub fn pax(self, records: &[(&str, &str)]) -> Self {
        self.entry(EntryType::XHeader, "PaxHeader/next", pax_records(records))
    }

    /// PAX records for all members added from here on.
    #[must_use]
    pub fn global_pax(self, records: &[(&str, &str)]) -> Self {
        let name = "pax_global_header";
        self.entry(EntryType::XGlobalHeader, name, pax_records(records))
    }

    /// GNU's long path for the member added next.
    #[must_use]
    pub fn gnu_long_path(self, path: &str) -> Self {
        let bytes = [path.as_bytes(), b"\0"].concat();
        self.entry(EntryType::GNULongName, "././@LongLink", bytes)
    }

    /// `count` empty files.
    #[must_use]
    pub fn members(mut self, count: usize) -> Self {
        for number in 0..count {
            self = self.file(&format!("package/{number}"), b"");
        }
        self
    }

    /// A member of any type, with everything in the header telling the truth.
    #[must_use]
    pub fn entry(self, kind: EntryType, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        let header = header(kind, path, bytes.len());
        self.raw_header(&header).data(bytes)
    }

    /// A header as it is, its checksum included.
    #[must_use]
    pub fn raw_header(self, header: &Header) -> Self {
        self.raw(header.as_bytes())
    }

    /// A member's bytes, filled up to the next block.
    #[must_use]
    pub fn data(mut self, bytes: &[u8]) -> Self {
        self.tar.extend_from_slice(bytes);
        let whole = self.tar.len().next_multiple_of(BLOCK_BYTES);
        self.tar.resize(whole, 0);
        self
    }

    /// Any bytes.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.tar.extend_from_slice(bytes);
        self
    }

    /// The archive with its end mark.
    #[must_use]
    pub fn build(self) -> Vec<u8> {
        gzip(&self.build_tar())
    }

    /// The archive with its end mark, before it is compressed.
    #[must_use]
    pub fn build_tar(self) -> Vec<u8> {
        self.raw(&[0; 2 * BLOCK_BYTES]).tar
    }

    /// The archive without its end mark.
    #[must_use]
    pub fn build_unended(self) -> Vec<u8> {
        gzip(&self.tar)
    }

    fn link(self, kind: EntryType, path: &str, target: &str) -> Self {
        let mut header = header(kind, path, 0);
        put(&mut header.as_old_mut().linkname, target.as_bytes());
        header.set_cksum();
        self.raw_header(&header)
    }
}

/// A header that tells the truth; change it, and call `set_cksum` again, for one that does not.
/// The path is cut to the 100 bytes that fit.
#[must_use]
pub fn header(kind: EntryType, path: &str, size: usize) -> Header {
    let mut header = Header::new_ustar();
    put(&mut header.as_old_mut().name, path.as_bytes());
    header.set_entry_type(kind);
    header.set_size(u64::try_from(size).unwrap_or(u64::MAX));
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(499_162_500);
    header.set_cksum();
    header
}

/// One gzip member.
#[must_use]
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    gzip_at(Compression::fast(), bytes)
}

#[expect(clippy::expect_used, reason = "writing into memory cannot fail")]
fn gzip_at(level: Compression, bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("compressing in memory")
}

/// What `npm pack` makes: `package/package.json` with name, version and the fields of `extra`, then
/// `files`, whose paths are relative to the package.
#[must_use]
pub fn npm_tarball(name: &str, version: &str, extra: &Value, files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut manifest = json!({ "name": name, "version": version });
    if let (Value::Object(manifest), Value::Object(extra)) = (&mut manifest, extra) {
        manifest.extend(extra.clone());
    }
    let text = format!("{manifest:#}\n");
    files
        .iter()
        .fold(
            TarGz::builder().file("package/package.json", text),
            |archive, (path, bytes)| archive.file(&format!("package/{path}"), bytes),
        )
        .build()
}

/// An archive whose second file leads out of the package.
#[must_use]
pub fn traversal() -> Vec<u8> {
    good().file("package/../../etc/passwd", b"x").build()
}

/// An archive whose second file is absolute.
#[must_use]
pub fn absolute_path() -> Vec<u8> {
    good().file("/etc/passwd", b"x").build()
}

/// An archive with a symbolic link that leads out of the package.
#[must_use]
pub fn symlink() -> Vec<u8> {
    good().symlink("package/link", "/etc/passwd").build()
}

/// An archive with a hard link to its own manifest.
#[must_use]
pub fn hardlink() -> Vec<u8> {
    good()
        .hardlink("package/link", "package/package.json")
        .build()
}

/// An archive whose plain header says one path and whose PAX record another.
#[must_use]
pub fn two_paths() -> Vec<u8> {
    good()
        .pax(&[("path", "package/innocent.js")])
        .file("package/evil.js", b"x")
        .build()
}

/// An archive whose plain header says one size and whose PAX record another.
#[must_use]
pub fn two_sizes() -> Vec<u8> {
    good()
        .pax(&[("size", "2048")])
        .file("package/a.js", [b'x'; 512])
        .file("package/hidden.js", [b'y'; 512])
        .build()
}

/// An archive of `count` members, one of them the manifest.
#[must_use]
pub fn many_members(count: usize) -> Vec<u8> {
    good().members(count.saturating_sub(1)).build()
}

/// The first `keep` bytes of an honest archive.
#[must_use]
pub fn truncated(keep: usize) -> Vec<u8> {
    let mut bytes = good().build();
    bytes.truncate(keep);
    bytes
}

/// An archive with one file of at least `unpacked_bytes` zeros, about a thousandth of that long.
/// One packed MiB is repeated as gzip members, so a large one takes no longer to make.
#[must_use]
pub fn bomb(unpacked_bytes: u64) -> Vec<u8> {
    const MIB: usize = 1 << 20;
    let mebibytes = usize::try_from(unpacked_bytes.div_ceil(1 << 20)).unwrap_or(usize::MAX);
    let size = mebibytes.saturating_mul(MIB);
    let head = good()
        .raw_header(&header(EntryType::Regular, "package/zeros", size))
        .build_unended();
    let zeros = gzip_at(Compression::best(), &vec![0; MIB]);
    let end = gzip(&[0; 2 * BLOCK_BYTES]);
    [head, zeros.repeat(mebibytes), end].concat()
}

fn good() -> TarGz {
    TarGz::builder().file(
        "package/package.json",
        r#"{"name":"@acme/left-pad","version":"1.0.0"}"#,
    )
}

fn put(field: &mut [u8], text: &[u8]) {
    field.fill(0);
    for (to, from) in field.iter_mut().zip(text) {
        *to = *from;
    }
}

/// `LENGTH KEY=VALUE\n`, where the length counts its own digits too.
fn pax_records(records: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in records {
        let rest = format!(" {key}={value}\n");
        let mut len = rest.len();
        while len != rest.len() + len.to_string().len() {
            len = rest.len() + len.to_string().len();
        }
        out.extend_from_slice(format!("{len}{rest}").as_bytes());
    }
    out
}
