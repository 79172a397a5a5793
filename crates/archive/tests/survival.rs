//! Bytes that nobody meant as an archive, or that were meant to hurt: no panic, no limit exceeded.

use std::io;

use packhouse_archive::{Limits, TarGz};
use packhouse_testkit::archives::{self, TarGz as Archive};
use proptest::prelude::*;

fn tight() -> Limits {
    Limits {
        members: 8,
        unpacked_bytes: 8 * 1024,
        member_path_bytes: 40,
        header_block_bytes: 200,
        ..Limits::default()
    }
}

/// Whatever is read, nothing beyond the limits comes out.
fn stays_within_limits(bytes: &[u8]) {
    let limits = tight();
    let mut archive = TarGz::new(bytes, &limits);
    let (mut members, mut total) = (0, 0);
    while let Ok(Some(mut member)) = archive.next_member() {
        members += 1;
        assert!(member.path().as_str().len() <= limits.member_path_bytes);
        assert!(member.path().segments().all(|segment| segment != ".."));
        match io::copy(&mut member, &mut io::sink()) {
            Ok(count) => {
                assert_eq!(count, member.size());
                total += count;
            }
            Err(_refused) => break,
        }
    }
    assert!(members <= limits.members);
    assert!(total <= limits.unpacked_bytes);
}

/// A tar whose headers are mostly right and whose rest is anything.
fn nearly_a_tar() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![
        4 => Just(b'0'),
        2 => prop_oneof![Just(b'x'), Just(b'g'), Just(b'L'), Just(b'5')],
        1 => any::<u8>(),
    ];
    let path = prop_oneof![
        3 => "[a-z]{1,8}(/[a-z.]{1,8}){0,4}/?",
        1 => ".{0,60}",
    ];
    let data = prop_oneof![
        2 => prop::collection::vec(any::<u8>(), 0..2000),
        1 => "([0-9]{1,2} (path|size|x)=[a-z0-9/]{0,9}\n){0,4}".prop_map(String::into_bytes),
    ];
    let change = prop_oneof![3 => Just(None), 1 => (0..512_usize, any::<u8>()).prop_map(Some)];
    let member = (kind, path, data, change, any::<bool>());
    (prop::collection::vec(member, 0..6), any::<bool>()).prop_map(|(members, ended)| {
        let mut archive = Archive::builder();
        for (kind, path, data, change, sum) in members {
            let kind = tar::EntryType::new(kind);
            let mut header = archives::header(kind, &path, data.len());
            if let Some((place, byte)) = change {
                if let Some(changed) = header.as_mut_bytes().get_mut(place) {
                    *changed = byte;
                }
                if sum {
                    header.set_cksum();
                }
            }
            archive = archive.raw_header(&header).data(&data);
        }
        if ended {
            archive.build()
        } else {
            archive.build_unended()
        }
    })
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        stays_within_limits(&bytes);
        stays_within_limits(&[b"\x1f\x8b\x08", bytes.as_slice()].concat());
    }

    #[test]
    fn any_unpacked_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        stays_within_limits(&archives::gzip(&bytes));
    }

    #[test]
    fn any_nearly_right_tar_is_survived(bytes in nearly_a_tar()) {
        stays_within_limits(&bytes);
    }

    #[test]
    fn a_flipped_bit_is_survived(bytes in nearly_a_tar(), place: prop::sample::Index, bit in 0..8) {
        let mut bytes = bytes;
        let place = place.index(bytes.len());
        bytes[place] ^= 1_u8 << bit;
        stays_within_limits(&bytes);
    }
}
