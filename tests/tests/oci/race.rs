//! Clients that do the same thing at once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use packhouse_testkit::http::{self, Request};

use crate::fixture::{Answered as _, Registry, bytes, image_of, sha256};

const N: &str = "alice/app";
const CLIENTS: usize = 10;

#[test]
fn ten_clients_push_the_same_image_at_once_and_one_object_stays() {
    let registry = Registry::start();
    let (config, layer) = (br#"{"os":"linux"}"#.to_vec(), bytes(2_100_007));
    let image = image_of(&config, &layer);
    let start = Barrier::new(CLIENTS);
    let (base, token) = (registry.server.base(), registry.token.as_str());
    let ask = |request: Request| http::send(base, &request.basic("alice", token)).unwrap();
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (ask, image, start) = (&ask, &image, &start);
            let blobs = [&config, &layer];
            scope.spawn(move || {
                start.wait();
                for blob in blobs {
                    let opened = ask(Request::post(format!("/v2/{N}/blobs/uploads/")));
                    let opened = opened.expect_status(202);
                    let location = opened.header("location").unwrap();
                    let (first, rest) = blob.split_at(blob.len() / 2);
                    ask(Request::new("PATCH", location).body(first.to_vec())).is(202);
                    let put = format!("{location}?digest={}", sha256(blob));
                    ask(Request::put(put).body(rest.to_vec())).is(201);
                }
                ask(image.put(N, "latest")).is(201);
                ask(image.put(N, &format!("client-{client}"))).is(201);
            });
        }
    });
    let tags = registry
        .ask(Request::get(format!("/v2/{N}/tags/list")))
        .expect_status(200)
        .json();
    assert_eq!(tags["tags"].as_array().unwrap().len(), CLIENTS + 1);
    for (path, body) in [
        ("manifests/latest".to_owned(), &image.bytes),
        (format!("blobs/{}", sha256(&config)), &config),
        (format!("blobs/{}", sha256(&layer)), &layer),
    ] {
        let got = registry.ask(Request::get(format!("/v2/{N}/{path}")));
        assert!(got.expect_status(200).body == *body, "{path}");
    }
    let mut kept = BTreeMap::new();
    count_objects(&registry.server.data_dir().join("blobs"), &mut kept);
    for blob in [&config, &layer] {
        assert_eq!(kept.get(&sha256(blob)), Some(&1), "{kept:?}");
    }
    assert!(kept.values().all(|count| *count == 1), "{kept:?}");
}

/// How often each content lies below a folder.
fn count_objects(folder: &Path, kept: &mut BTreeMap<String, u32>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            count_objects(&path, kept);
        } else {
            *kept.entry(sha256(&fs::read(path).unwrap())).or_default() += 1;
        }
    }
}
