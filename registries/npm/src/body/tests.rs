use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::stream;
use proptest::prelude::*;

use super::*;

/// What a document was read to.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    attachments: Vec<(String, Vec<u8>)>,
    rest: String,
}

async fn read(pieces: Vec<Vec<u8>>, max_kept: usize) -> Result<Read, Fault> {
    let pieces = pieces.into_iter().map(|piece| Ok(Bytes::from(piece)));
    let mut reader = DocumentReader::new(Body::new(stream::iter(pieces)), max_kept);
    let mut attachments = Vec::new();
    while let Some(mut data) = reader.next_attachment().await? {
        let mut bytes = Vec::new();
        while let Some(piece) = data.next().await {
            bytes.extend_from_slice(&piece?);
        }
        attachments.push((data.key().to_owned(), bytes));
    }
    let rest = String::from_utf8_lossy(&reader.finish()?).into_owned();
    Ok(Read { attachments, rest })
}

fn read_whole(text: &str) -> Result<Read, Fault> {
    block_on(read(vec![text.as_bytes().to_vec()], 1 << 20))
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(work)
}

fn refusal(text: &str) -> String {
    read_whole(text).unwrap_err().to_string()
}

#[test]
fn data_comes_out_decoded_and_the_rest_stays() {
    let text = r#"{"name":"w","_attachments":{"w-1.0.0.tgz":{"content_type":"x","data":"aGVsbG8=","length":5}},"versions":{"1.0.0":{"data":"kept","_attachments":{"a":{"data":"kept"}}}}}"#;
    let read = read_whole(text).unwrap();
    assert_eq!(
        read.attachments,
        [("w-1.0.0.tgz".to_owned(), b"hello".to_vec())]
    );
    assert_eq!(read.rest, text.replace("aGVsbG8=", ""));
}

#[test]
fn text_attachments_stay_in_the_document() {
    let text = r#"{"_attachments":{"w-1.0.0.sigstore":{"data":"{\"a\":1}"},"w.tgz":{"data":""}}}"#;
    let read = read_whole(text).unwrap();
    assert_eq!(read.attachments, [("w.tgz".to_owned(), Vec::new())]);
    assert_eq!(read.rest, text);
}

#[test]
fn keys_and_data_may_be_written_with_escapes() {
    let text =
        r#"{"_attach\u006dents":{"a\"b.tgz":{"d\u0061ta":"\/\/\u002b\u002F\/w=="}},"x":"\\\""}"#;
    let read = read_whole(text).unwrap();
    assert_eq!(
        read.attachments,
        [("a\"b.tgz".to_owned(), BASE64.decode("//+//w==").unwrap())]
    );
}

#[test]
fn padding_may_be_missing() {
    for (data, expected) in [
        ("aGVsbG8", "hello"),
        ("aGVsbG8=", "hello"),
        ("aGVsbA", "hell"),
        ("aGVsbA==", "hell"),
        ("aGVs", "hel"),
        ("", ""),
    ] {
        let text = format!(r#"{{"_attachments":{{"a":{{"data":"{data}"}}}}}}"#);
        let read = read_whole(&text).unwrap();
        assert_eq!(read.attachments[0].1, expected.as_bytes(), "{data}");
    }
}

#[test]
fn what_is_not_base64_is_refused() {
    for data in [
        "a",
        "a===",
        "aGVs=G8=",
        "aA==aA==",
        "aGV sbG8",
        "aGV\\nsbG8=",
        "aGV-",
        "\\u0100aaa",
        "é",
        "aGVs\\q",
    ] {
        let text = format!(r#"{{"_attachments":{{"a":{{"data":"{data}"}}}}}}"#);
        assert_eq!(
            refusal(&text),
            "invalid body: the request body is malformed: the data of an attachment is not base64",
            "{data}"
        );
    }
}

#[test]
fn a_document_that_ends_early_is_refused_wherever_it_ends() {
    let text = r#"{"_attachments":{"a.tgz":{"data":"aGVsbG8=","length":5}},"n":["\\",1]}"#;
    for end in 0..text.len() {
        let (begun, _) = text.split_at(end);
        assert!(read_whole(begun).is_err(), "{begun}");
    }
    assert!(read_whole(text).is_ok());
    assert_eq!(
        refusal("{}}"),
        "invalid body: malformed JSON: a bracket closes nothing"
    );
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    assert_eq!(
        refusal(&deep),
        "invalid body: the document is nested too deeply"
    );

    let data = BASE64.encode(vec![7; 5000]);
    let text = format!(r#"{{"_attachments":{{"a":{{"data":"{data}"}}}}}}"#);
    let small = block_on(read(vec![text.clone().into_bytes()], 64)).unwrap();
    assert_eq!(small.attachments[0].1.len(), 5000);
    let padded = text.replace("_attachments\"", &format!("{}\"", "x".repeat(60)));
    assert!(matches!(
        block_on(read(vec![padded.into_bytes()], 64)),
        Err(Fault::TooLarge { limit: 64 })
    ));
}

#[test]
fn data_elsewhere_is_not_taken_for_an_attachment() {
    for text in [
        r#"{"_attachments":[{"data":"!"}]}"#,
        r#"{"_attachments":{"a":["data","!"]}}"#,
        r#"{"_attachments":{"a":{"x":{"data":"!"}}}}"#,
        r#"{"_attachments":{"a":{"data":["!"]}}}"#,
        r#"{"versions":{"a":{"data":"!"}}}"#,
        r#"{"a":"_attachments","b":{"c":{"data":"!"}}}"#,
        r#"[{"_attachments":{"a":{"data":"!"}}}]"#,
    ] {
        let read = read_whole(text).unwrap();
        assert_eq!(read.attachments, [], "{text}");
        assert_eq!(read.rest, text);
    }
}

#[test]
fn a_body_that_breaks_inside_data_reports_it() {
    let pieces = stream::iter([
        Ok(Bytes::from_static(br#"{"_attachments":{"a":{"data":"aGVs"#)),
        Err(BodyError::Stalled),
    ]);
    let mut reader = DocumentReader::new(Body::new(pieces), 1024);
    block_on(async {
        let mut data = reader.next_attachment().await.unwrap().unwrap();
        assert!(matches!(data.next().await, Some(Err(BodyError::Stalled))));
        assert!(data.next().await.is_none());
    });
}

fn document() -> impl Strategy<Value = (String, Vec<u8>)> {
    let noise = prop_oneof![
        Just(r#""é\"\\\u00e9""#.to_owned()),
        Just(r#"{"data":"x","k":[1,{"a":null}]}"#.to_owned()),
        Just("  [ true , -1.5e3 ]\n".to_owned()),
        Just(r#"{"_attachments":{"z":{"data":"no"}}}"#.to_owned()),
    ];
    (
        proptest::collection::vec(any::<u8>(), 0..200),
        noise,
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(bytes, noise, first, padded, escaped)| {
            let mut data = BASE64.encode(&bytes);
            if !padded {
                data = data.trim_end_matches('=').to_owned();
            }
            if escaped {
                data = data.replace('/', "\\/").replace('+', "\\u002b");
            }
            let attachments = format!(
                r#""_attachments":{{"é.tgz":{{"data" : "{data}","length":{}}}}}"#,
                bytes.len()
            );
            let text = if first {
                format!(r#"{{{attachments},"x":{noise}}}"#)
            } else {
                format!(r#"{{"x":{noise},{attachments}}}"#)
            };
            (text, bytes)
        })
}

proptest! {
    #[test]
    fn the_same_comes_out_however_the_body_is_cut(
        (text, bytes) in document(),
        cuts in proptest::collection::vec(1usize..9, 1..40),
    ) {
        let whole = read_whole(&text).unwrap();
        prop_assert_eq!(&whole.attachments[0].1, &bytes);
        let mut rest = text.as_bytes();
        let mut pieces = Vec::new();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece.to_vec());
            rest = after;
        }
        prop_assert_eq!(block_on(read(pieces, 1 << 20)).unwrap(), whole);
    }

    #[test]
    fn any_bytes_are_answered_without_a_panic(
        bytes in proptest::collection::vec(
            prop_oneof![any::<u8>(), proptest::sample::select(&br#"{}[]":,\_data"#[..])], 0..300
        ),
    ) {
        let _ = block_on(read(vec![bytes], 200));
    }
}
