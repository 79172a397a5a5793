//! What `TarGz` accepts and what it refuses, on archives built in memory.

use std::io::{self, Cursor, Read};
use std::time::Duration;

use packhouse_archive::{ArchiveError, Kind, Limits, TarGz};
use packhouse_testkit::archives::{self, TarGz as Archive};
use serde_json::json;

/// Reads an archive to its end; gives paths and contents.
fn read(bytes: &[u8], limits: &Limits) -> Result<Vec<(String, Vec<u8>)>, ArchiveError> {
    let mut archive = TarGz::new(Cursor::new(bytes), limits);
    let mut files = Vec::new();
    while let Some(mut member) = archive.next_member()? {
        let path = member.path().as_str().to_owned();
        files.push((path, member.read_at_most(limits.unpacked_bytes)?));
    }
    Ok(files)
}

/// Reads as [`read`] does, but passes over the contents.
fn paths(bytes: &[u8]) -> Result<Vec<String>, ArchiveError> {
    let limits = Limits::default();
    let mut archive = TarGz::new(Cursor::new(bytes), &limits);
    let mut paths = Vec::new();
    while let Some(member) = archive.next_member()? {
        paths.push(member.path().as_str().to_owned());
    }
    Ok(paths)
}

/// The sentence a sender is shown.
fn refusal(bytes: &[u8]) -> String {
    match paths(bytes) {
        Err(error) => error.to_string(),
        Ok(paths) => format!("accepted: {paths:?}"),
    }
}

fn long_path() -> String {
    format!("package/{}/index.js", "d".repeat(150))
}

/// What the plain header holds of a long path.
fn cut(path: &str) -> &str {
    path.split_at_checked(100).map_or(path, |(cut, _rest)| cut)
}

mod accepted {
    use super::*;

    #[test]
    fn an_npm_package_comes_out_as_it_went_in() {
        let bytes = archives::npm_tarball(
            "@acme/left-pad",
            "1.0.0",
            &json!({ "main": "index.js" }),
            &[
                ("index.js", b"module.exports = 1"),
                ("lib/a.bin", &[7; 1000]),
            ],
        );
        let files = read(&bytes, &Limits::default()).unwrap();
        assert_eq!(
            files
                .iter()
                .map(|(path, _)| path.as_str())
                .collect::<Vec<_>>(),
            [
                "package/package.json",
                "package/index.js",
                "package/lib/a.bin"
            ]
        );
        let manifest: serde_json::Value = serde_json::from_slice(&files[0].1).unwrap();
        assert_eq!(
            manifest,
            json!({ "name": "@acme/left-pad", "version": "1.0.0", "main": "index.js" })
        );
        assert_eq!(files[2].1, [7; 1000]);
    }

    #[test]
    fn what_the_tar_crate_writes_is_read() {
        let mut builder = tar::Builder::new(Vec::new());
        for path in ["package/package.json".to_owned(), long_path()] {
            let mut header = tar::Header::new_gnu();
            header.set_size(3);
            builder.append_data(&mut header, path, &b"abc"[..]).unwrap();
        }
        let bytes = archives::gzip(&builder.into_inner().unwrap());
        let files = read(&bytes, &Limits::default()).unwrap();
        assert_eq!(files[1], (long_path(), b"abc".to_vec()));
    }

    #[test]
    fn long_paths_come_from_pax_gnu_and_the_prefix() {
        let long = long_path();
        let cut = cut(&long);
        let mut prefixed = archives::header(tar::EntryType::Regular, "index.js", 1);
        let prefix = &mut prefixed.as_ustar_mut().unwrap().prefix;
        prefix[..9].copy_from_slice(b"package/x");
        prefixed.set_cksum();
        let bytes = Archive::builder()
            .global_pax(&[("comment", "0123abcd")])
            .pax(&[("path", &long_path()), ("mtime", "1.5")])
            .file(cut, b"1")
            .gnu_long_path(&long_path())
            .file(cut, b"2")
            .raw_header(&prefixed)
            .data(b"3")
            .pax(&[("path", "package/é"), ("size", "1")])
            .file("PaxHeader", b"4")
            .build();
        let files = read(&bytes, &Limits::default()).unwrap();
        let expected = [
            (long_path(), b"1".to_vec()),
            (long_path(), b"2".to_vec()),
            ("package/x/index.js".to_owned(), b"3".to_vec()),
            ("package/é".to_owned(), b"4".to_vec()),
        ];
        assert_eq!(files, expected);
    }

    #[test]
    fn folders_are_passed_over_and_contents_need_not_be_read() {
        let bytes = Archive::builder()
            .folder("package/")
            .file("package/a", [1; 5000])
            .folder("package/lib")
            .file("package/b", b"")
            .build();
        assert_eq!(paths(&bytes).unwrap(), ["package/a", "package/b"]);
    }

    #[test]
    fn gzip_members_and_zero_padding_may_follow() {
        let tar = |name: &str| Archive::builder().file(name, b"x").build_unended();
        let end = archives::gzip(&[0; 10_240]);
        let bytes = [
            tar("p/a"),
            archives::gzip(b""),
            tar("p/b"),
            end,
            vec![0; 300],
        ]
        .concat();
        assert_eq!(paths(&bytes).unwrap(), ["p/a", "p/b"]);
    }

    #[test]
    fn an_empty_archive_has_no_members() {
        assert_eq!(paths(&Archive::builder().build()).unwrap(), [""; 0]);
    }
}

mod refused {
    use super::*;

    #[test]
    fn paths_that_lead_out() {
        assert_eq!(
            refusal(&archives::traversal()),
            "the path `package/../../etc/passwd` leads upward"
        );
        assert_eq!(
            refusal(&archives::absolute_path()),
            "the path `/etc/passwd` is absolute"
        );
        let folder = Archive::builder().folder("../x/").build();
        assert_eq!(refusal(&folder), "the path `../x` leads upward");
        let pax = Archive::builder()
            .pax(&[("path", "../x")])
            .file("../x", b"")
            .build();
        assert_eq!(refusal(&pax), "the path `../x` leads upward");
        let nul = Archive::builder()
            .pax(&[("path", "package/a\0b")])
            .file("package/a", b"")
            .build();
        assert_eq!(refusal(&nul), "the path `package/a\\0b` holds a NUL");
        let slash = Archive::builder().file("package/a/", b"x").build();
        assert_eq!(
            refusal(&slash),
            "the path `package/a/` has an empty segment"
        );
    }

    #[test]
    fn everything_that_is_not_a_file_or_a_folder() {
        let kinds = [
            (archives::symlink(), Kind::Symlink),
            (archives::hardlink(), Kind::HardLink),
            (Archive::builder().device("p/x").build(), Kind::Device),
            (Archive::builder().fifo("p/x").build(), Kind::Fifo),
            (
                Archive::builder()
                    .entry(tar::EntryType::GNUSparse, "p/x", b"")
                    .build(),
                Kind::Sparse,
            ),
            (
                Archive::builder()
                    .pax(&[("GNU.sparse.major", "1")])
                    .file("p/x", b"")
                    .build(),
                Kind::Sparse,
            ),
            (
                Archive::builder()
                    .entry(tar::EntryType::new(b'V'), "p/x", b"")
                    .build(),
                Kind::Other(b'V'),
            ),
        ];
        for (bytes, expected) in kinds {
            match paths(&bytes) {
                Err(ArchiveError::Forbidden { kind, .. }) => assert_eq!(kind, expected),
                other => panic!("{expected}: {other:?}"),
            }
        }
        assert_eq!(
            refusal(&archives::symlink()),
            "`package/link` is a symbolic link, which a package must not hold"
        );
    }

    #[test]
    fn headers_that_contradict_each_other() {
        assert_eq!(
            refusal(&archives::two_paths()),
            "the headers of `package/innocent.js` disagree about its path"
        );
        assert_eq!(
            refusal(&archives::two_sizes()),
            "the headers of `package/a.js` disagree about its size"
        );
        let gnu = Archive::builder()
            .gnu_long_path("package/b")
            .file("package/a", b"")
            .build();
        assert_eq!(
            refusal(&gnu),
            "the headers of `package/b` disagree about its path"
        );
        let global = Archive::builder()
            .global_pax(&[("size", "1")])
            .file("package/a", b"x")
            .build();
        assert!(matches!(
            paths(&global),
            Err(ArchiveError::HeaderMismatch { field: "size", .. })
        ));
        let hidden = Archive::builder()
            .pax(&[("path", &long_path())])
            .file("package/package.json", b"{}")
            .build();
        assert!(matches!(
            paths(&hidden),
            Err(ArchiveError::HeaderMismatch { field: "path", .. })
        ));
    }

    #[test]
    fn extension_headers_out_of_place() {
        let path: &[(&str, &str)] = &[("path", "p/a")];
        for bytes in [
            Archive::builder().pax(path).pax(path).file("p/a", b""),
            Archive::builder()
                .pax(path)
                .gnu_long_path("p/a")
                .file("p/a", b""),
            Archive::builder()
                .gnu_long_path("p/a")
                .pax(path)
                .file("p/a", b""),
            Archive::builder()
                .pax(path)
                .global_pax(&[])
                .file("p/a", b""),
            Archive::builder().pax(path),
        ] {
            assert!(matches!(
                paths(&bytes.build()),
                Err(ArchiveError::Corrupt(_))
            ));
        }
    }

    #[test]
    fn damage() {
        let mut header = archives::header(tar::EntryType::Regular, "package/a", 0);
        header.as_mut_bytes()[0] ^= 1;
        let bytes = Archive::builder().raw_header(&header).build();
        assert_eq!(
            refusal(&bytes),
            "the archive is damaged: a header's checksum is wrong"
        );

        let mut bytes = Archive::builder().file("package/a", b"x").build();
        let crc = bytes.len() - 8;
        bytes[crc] ^= 1;
        assert_eq!(
            refusal(&bytes),
            "the archive is damaged: its compression does not add up"
        );

        let folder = Archive::builder()
            .entry(tar::EntryType::Directory, "package", b"x")
            .build();
        assert_eq!(
            refusal(&folder),
            "the archive is damaged: a folder has content"
        );
    }

    #[test]
    fn what_is_not_gzip() {
        for bytes in [&b""[..], b"PK\x03\x04", b"\x1f\x8c0123456789", b"\0\0\0"] {
            assert_eq!(refusal(bytes), "this is not a gzip archive");
        }
        assert_eq!(refusal(b"\x1f"), "the archive is truncated");
    }

    #[test]
    fn anything_after_the_end_but_zeros() {
        let whole = Archive::builder().file("p/a", b"").build();
        let more = archives::gzip(b"more");
        for tail in [&b"junk"[..], b"\0\0\0junk", &more] {
            assert_eq!(
                refusal(&[&whole, tail].concat()),
                "the archive goes on after its end"
            );
        }
        let inside = Archive::builder().raw(&[0; 1024]).raw(&[1; 512]).build();
        assert_eq!(refusal(&inside), "the archive goes on after its end");
    }

    #[test]
    fn an_archive_cut_off_anywhere() {
        let whole = Archive::builder()
            .pax(&[("path", &long_path())])
            .file(cut(&long_path()), b"abc")
            .file("package/b", [7; 600]);
        let tar_len = 5 * 512 + 2 * 512;
        let bytes = whole.clone().build();
        for keep in 0..bytes.len() {
            let result = paths(&bytes[..keep]);
            match keep {
                0 => assert!(matches!(result, Err(ArchiveError::NotGzip))),
                _ => assert!(matches!(result, Err(ArchiveError::Truncated)), "{keep}"),
            }
        }
        // Cut below an intact compression.
        let mut tar = Vec::new();
        flate2::read::GzDecoder::new(&bytes[..])
            .read_to_end(&mut tar)
            .unwrap();
        for keep in 0..=tar_len {
            let result = paths(&archives::gzip(&tar[..keep]));
            assert!(matches!(result, Err(ArchiveError::Truncated)), "{keep}");
        }
    }

    #[test]
    fn a_refused_archive_stays_refused() {
        let bytes = archives::symlink();
        let mut archive = TarGz::new(&bytes[..], &Limits::default());
        assert!(archive.next_member().unwrap().is_some());
        assert!(archive.next_member().is_err());
        assert!(archive.next_member().is_err());
    }
}

mod limited {
    use super::*;

    #[test]
    fn members() {
        let limits = Limits {
            members: 50,
            ..Limits::default()
        };
        let accepted = read(&archives::many_members(50), &limits).unwrap();
        assert_eq!(accepted.len(), 50);
        assert_eq!(
            refusal(&archives::many_members(100_001)),
            "the archive has more than 100000 members"
        );
    }

    #[test]
    fn gzip_members_that_hold_nothing() {
        let limits = Limits {
            members: 50,
            ..Limits::default()
        };
        let bytes = archives::gzip(b"").repeat(51);
        assert!(matches!(
            read(&bytes, &limits),
            Err(ArchiveError::TooManyMembers { limit: 50 })
        ));
    }

    #[test]
    fn unpacked_bytes_by_claim_and_by_count() {
        let limits = Limits {
            unpacked_bytes: 100_000,
            ..Limits::default()
        };
        let claim = Archive::builder().file("p/a", vec![0; 100_001]).build();
        let count = Archive::builder()
            .file("p/a", vec![0; 60_000])
            .file("p/b", vec![0; 60_000])
            .build();
        for bytes in [claim, count] {
            assert!(matches!(
                read(&bytes, &limits),
                Err(ArchiveError::TooLarge { limit: 100_000 })
            ));
        }
    }

    #[test]
    fn a_bomb_stops_soon_after_the_free_bytes() {
        let bytes = archives::bomb(1 << 30);
        let mut packed = Counting {
            inner: &bytes[..],
            count: 0,
        };
        let limits = Limits::default();
        let mut archive = TarGz::new(&mut packed, &limits);
        archive.next_member().unwrap();
        let mut zeros = archive.next_member().unwrap().unwrap();
        let error = io::copy(&mut zeros, &mut io::sink()).unwrap_err();
        assert!(matches!(
            error.into(),
            ArchiveError::TooDense { limit: 500 }
        ));
        // 16 MiB of zeros are about 16 KiB packed, and one buffer was read ahead.
        assert!(packed.count < 100_000, "{}", packed.count);
    }

    #[test]
    fn paths_extension_headers_and_held_members() {
        let path = |len: usize| {
            let path = format!("p/{}", "x".repeat(len - 2));
            Archive::builder()
                .gnu_long_path(&path)
                .file(cut(&path), b"")
                .build()
        };
        assert!(paths(&path(1024)).is_ok());
        assert!(matches!(
            paths(&path(1025)),
            Err(ArchiveError::PathTooLong { limit: 1024 })
        ));

        let extension = |len: usize| {
            let records = [("comment", "c".repeat(len))];
            let records = records
                .each_ref()
                .map(|(key, value)| (*key, value.as_str()));
            Archive::builder().pax(&records).file("p/a", b"").build()
        };
        assert!(paths(&extension(1_000_000)).is_ok());
        assert!(matches!(
            paths(&extension(1 << 20)),
            Err(ArchiveError::HeaderTooLong { limit: 1_048_576 })
        ));

        let bytes = Archive::builder().file("p/a", b"12345").build();
        let mut archive = TarGz::new(&bytes[..], &Limits::default());
        let mut member = archive.next_member().unwrap().unwrap();
        assert_eq!(
            member.read_at_most(4).unwrap_err().to_string(),
            "`p/a` is larger than 4 bytes"
        );
        assert_eq!(member.read_at_most(5).unwrap(), b"12345");
    }

    #[test]
    fn time() {
        let limits = Limits {
            time: Duration::ZERO,
            ..Limits::default()
        };
        assert!(matches!(
            read(&archives::many_members(10), &limits),
            Err(ArchiveError::TooSlow { .. })
        ));
    }

    #[test]
    fn a_failing_reader_is_not_a_damaged_archive() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _out: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::from(io::ErrorKind::InvalidData))
            }
        }
        let bytes = Archive::builder().file("p/a", [1; 100]).build();
        let mut archive = TarGz::new(bytes[..20].chain(Broken), &Limits::default());
        assert!(matches!(archive.next_member(), Err(ArchiveError::Io(_))));
    }

    struct Counting<R> {
        inner: R,
        count: usize,
    }

    impl<R: Read> Read for Counting<R> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let count = self.inner.read(out)?;
            self.count += count;
            Ok(count)
        }
    }
}
