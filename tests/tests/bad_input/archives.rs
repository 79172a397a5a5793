//! Tarballs that are not what an installer can be handed.

use packhouse_testkit::archives::{self, TarGz, gzip};
use packhouse_testkit::npm::publish_document;
use serde_json::json;

use crate::registry::{NAME, Registry};

const MANIFEST: &str = r#"{"name":"@acme/left-pad","version":"2.0.0"}"#;

fn good() -> TarGz {
    TarGz::builder().file("package/package.json", MANIFEST)
}

#[test]
fn a_hostile_tarball_is_refused_in_words_that_name_the_member() {
    let registry = Registry::open();
    let gzip_header_then_noise = [&gzip(b"x")[..10], &[0xff; 64]].concat();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        (
            "a path that leads upward",
            good().file("package/../../etc/passwd", "x").build(),
            "the path `package/../../etc/passwd` leads upward",
        ),
        (
            "an absolute path",
            good().file("/etc/passwd", "x").build(),
            "the path `/etc/passwd` is absolute",
        ),
        (
            "a backslash",
            good().file("package\\..\\x", "x").build(),
            r"the path `package\\..\\x` holds a backslash",
        ),
        (
            "a drive letter",
            good().file("package/c:/x", "x").build(),
            "the path `package/c:/x` begins with a drive letter",
        ),
        (
            "a NUL",
            good()
                .pax(&[("path", "package/a\0b")])
                .file("package/a", "x")
                .build(),
            r"the path `package/a\0b` holds a NUL",
        ),
        (
            "a symbolic link",
            good().symlink("package/link", "/etc/passwd").build(),
            "`package/link` is a symbolic link, which a package must not hold",
        ),
        (
            "a hard link",
            good()
                .hardlink("package/link", "package/package.json")
                .build(),
            "`package/link` is a hard link, which a package must not hold",
        ),
        (
            "a device",
            good().device("package/null").build(),
            "`package/null` is a device, which a package must not hold",
        ),
        (
            "a named pipe",
            good().fifo("package/pipe").build(),
            "`package/pipe` is a named pipe, which a package must not hold",
        ),
        (
            "two paths for one member",
            good()
                .pax(&[("path", "package/innocent.js")])
                .file("package/evil.js", "x")
                .build(),
            "the headers of `package/innocent.js` disagree about its path",
        ),
        (
            "two sizes for one member",
            good()
                .pax(&[("size", "2048")])
                .file("package/a.js", [b'x'; 512])
                .file("package/hidden.js", [b'y'; 512])
                .build(),
            "the headers of `package/a.js` disagree about its size",
        ),
        (
            "a path of more than 1024 bytes",
            good()
                .gnu_long_path(&format!("package/{}", "x".repeat(1024)))
                .file("package/x", "x")
                .build(),
            "a member's path is longer than 1024 bytes",
        ),
        (
            "a header of more than a mebibyte",
            good()
                .pax(&[("comment", &"x".repeat(1 << 20))])
                .file("package/x", "x")
                .build(),
            "an extension header is longer than 1048576 bytes",
        ),
        (
            "a member in no folder",
            good().file("index.js", "x").build(),
            "invalid tarball: `index.js` lies in no folder",
        ),
        (
            "a bomb",
            archives::bomb(1 << 30),
            "the archive unpacks to more than 500 times its size",
        ),
        (
            "a larger bomb",
            archives::bomb(3 << 30),
            "the archive unpacks to more than 2147483648 bytes",
        ),
        (
            "more members than anybody has",
            archives::many_members(100_001),
            "the archive has more than 100000 members",
        ),
        (
            "no gzip",
            b"PK\x03\x04 this is a zip file".to_vec(),
            "this is not a gzip archive",
        ),
        ("nothing at all", Vec::new(), "this is not a gzip archive"),
        (
            "a gzip header and noise",
            gzip_header_then_noise,
            "the archive is damaged: its compression does not add up",
        ),
        (
            "gzip of no tar",
            gzip(b"this is no tar"),
            "the archive is truncated",
        ),
        (
            "a cut gzip",
            archives::truncated(60),
            "the archive is truncated",
        ),
        (
            "a cut tar",
            gzip(&[b'x'; 700]),
            "the archive is damaged: a header's checksum is not a number",
        ),
        (
            "something after the end",
            good().raw(&[0; 1024]).raw(b"hidden").build(),
            "the archive goes on after its end",
        ),
    ];
    for (what, tarball, error) in cases {
        let document = publish_document(NAME, "2.0.0", &tarball);
        registry.refuses(what, &registry.put(NAME, &document), 400, error);
    }
}

#[test]
fn a_tarball_without_one_readable_manifest_is_refused() {
    let registry = Registry::open();
    let manifest = |text: &[u8]| TarGz::builder().file("package/package.json", text).build();
    let large = format!(
        r#"{{"name":"@acme/left-pad","version":"2.0.0","x":"{}"}}"#,
        "x".repeat(5 << 20)
    );
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        (
            "none",
            TarGz::builder().file("package/index.js", "x").build(),
            "invalid tarball: there is no package.json",
        ),
        (
            "a deeper one alone",
            TarGz::builder()
                .file("package/lib/package.json", MANIFEST)
                .build(),
            "invalid tarball: there is no package.json",
        ),
        (
            "two",
            good().file("package/package.json", MANIFEST).build(),
            "invalid tarball: there is more than one package.json",
        ),
        (
            "two in two folders",
            good().file("other/package.json", MANIFEST).build(),
            "invalid tarball: there is more than one package.json",
        ),
        (
            "no JSON",
            manifest(b"name: left-pad"),
            "package.json in the tarball: expected ident at line 1 column 2",
        ),
        (
            "a list",
            manifest(b"[]"),
            "package.json in the tarball: invalid type: sequence, expected an object at line 1 column 0",
        ),
        (
            "not UTF-8",
            manifest(b"{\"name\":\"\xff\"}"),
            "package.json in the tarball: invalid utf-8 sequence of 1 bytes from index 9",
        ),
        (
            "half of it",
            manifest(br#"{"name":"@acme/left-pad","#),
            "package.json in the tarball: EOF while parsing a value at line 1 column 25",
        ),
        (
            "no name",
            manifest(br#"{"version":"2.0.0"}"#),
            "package.json in the tarball is invalid: a package must have name and version",
        ),
        (
            "no version",
            manifest(br#"{"name":"@acme/left-pad"}"#),
            "package.json in the tarball is invalid: a package must have name and version",
        ),
        (
            "a name that is a list",
            manifest(br#"{"name":["@acme/left-pad"],"version":"2.0.0"}"#),
            "package.json in the tarball is invalid: a package must have name and version",
        ),
        (
            "more than four mebibytes",
            manifest(large.as_bytes()),
            "`package/package.json` is larger than 4194304 bytes",
        ),
    ];
    for (what, tarball, error) in cases {
        let document = publish_document(NAME, "2.0.0", &tarball);
        registry.refuses(what, &registry.put(NAME, &document), 400, error);
    }
}

#[test]
fn a_tarball_that_is_about_something_else_is_refused() {
    let registry = Registry::open();
    for (what, name, version) in [
        ("another name", "@acme/other", "2.0.0"),
        ("no scope", "left-pad", "2.0.0"),
        ("another case", "@acme/Left-Pad", "2.0.0"),
        ("another version", NAME, "2.0.1"),
        ("the published version", NAME, "1.0.0"),
    ] {
        let tarball = archives::npm_tarball(name, version, &json!({}), &[]);
        let document = publish_document(NAME, "2.0.0", &tarball);
        let error = format!(
            "package.json in the tarball is of \"{name}@{version}\", not of @acme/left-pad@2.0.0"
        );
        registry.refuses(what, &registry.put(NAME, &document), 400, &error);
    }
}

#[test]
fn a_tarball_may_have_several_gzip_members_any_folder_and_zeros_at_its_end() {
    let folder = || TarGz::builder().file("left-pad-of-old/package.json", MANIFEST);
    let whole = folder().raw(&[0; 20 * 512]).build();
    let tar = folder().file("left-pad-of-old/index.js", "x");
    let members = [whole.clone(), gzip(&[0; 512])].concat();
    let byte_order_mark =
        TarGz::builder().file("package/package.json", ["\u{feff}", MANIFEST].concat());
    for (what, tarball) in [
        ("zeros after its end", whole),
        ("a second gzip member", members),
        ("a folder of another name", tar.build()),
        ("a byte order mark", byte_order_mark.build()),
    ] {
        let registry = Registry::open();
        let document = publish_document(NAME, "2.0.0", &tarball);
        let answer = registry.send(&registry.put(NAME, &document));
        assert_eq!(answer.status, 201, "{what}: {answer}");
        // not a byte is rewritten
        let path = "/@acme%2fleft-pad/-/left-pad-2.0.0.tgz";
        let download = registry.send(&registry.request("GET", path));
        assert!(download.body == tarball, "{what}: other bytes came back");
    }
}

#[test]
fn ten_thousand_members_are_no_reason_to_refuse() {
    let registry = Registry::open();
    let tarball = good().members(10_000).build();
    let document = publish_document(NAME, "2.0.0", &tarball);
    let _created = registry
        .send(&registry.put(NAME, &document))
        .expect_status(201);
    let dist = &registry.packument(NAME)["versions"]["2.0.0"]["dist"];
    assert_eq!(dist["fileCount"], json!(10_001));
}
