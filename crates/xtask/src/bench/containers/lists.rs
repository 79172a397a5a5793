//! Long lists: tags of one image, images of a registry, referrers of one manifest.

use std::thread;
use std::time::Instant;

use anyhow::{Result, bail, ensure};
use packhouse_testkit::http::Request;
use packhouse_testkit::images::{IMAGE, sha256};
use serde_json::Value;

use super::{Blob, CONFIG, Registry, Session, manifest};
use crate::bench::median;

const TAGS: usize = 10_000;
const TAGS_AT_ONCE: usize = 50;
const REPOSITORIES: usize = 10_000;
const REFERRERS: usize = 1_000;
const CLIENTS: usize = 8;

/// Each list is asked for so many times.
const ASKED: usize = 41;

pub(super) fn run(registry: &Registry) -> Result<()> {
    let layer = Blob::noise(3, 4096);
    let subject = manifest(&layer);
    let mut session = registry.open()?;
    session.push_blob("bench/listed", &Blob::new(CONFIG.to_vec()))?;
    session.push_image("bench/listed", "latest", &layer)?;
    tag(&mut session, &subject)?;
    refer(&mut session, &subject)?;
    repositories(registry, &subject)?;

    println!("\n| a page of | entries | median ms |\n| --- | --- | --- |");
    let subject = sha256(subject.as_bytes());
    for (shown, path, list) in [
        (
            "10,000 tags",
            "/v2/bench/listed/tags/list".to_owned(),
            "tags",
        ),
        (
            "10,000 tags, n=100 from the middle",
            "/v2/bench/listed/tags/list?n=100&last=t5000".to_owned(),
            "tags",
        ),
        (
            "10,000 repositories",
            "/v2/_catalog".to_owned(),
            "repositories",
        ),
        (
            "10,000 repositories, n=100 from the middle",
            "/v2/_catalog?n=100&last=bench%2frepo5000".to_owned(),
            "repositories",
        ),
        (
            "1,000 referrers",
            format!("/v2/bench/listed/referrers/{subject}"),
            "manifests",
        ),
    ] {
        row(&mut session, shown, &path, list)?;
    }
    Ok(())
}

fn row(session: &mut Session<'_>, shown: &str, path: &str, list: &str) -> Result<()> {
    let mut took = Vec::with_capacity(ASKED);
    let mut entries = 0;
    for _ in 0..ASKED {
        let began = Instant::now();
        let answer = session.send(Request::get(path), 200)?;
        took.push(began.elapsed().as_secs_f64() * 1_000.0);
        entries = answer
            .json()
            .get(list)
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
    }
    ensure!(entries > 0, "{path} lists nothing");
    println!("| {shown} | {entries} | {:.1} |", median(took));
    Ok(())
}

fn tag(session: &mut Session<'_>, manifest: &str) -> Result<()> {
    let digest = sha256(manifest.as_bytes());
    for first in (0..TAGS).step_by(TAGS_AT_ONCE) {
        let tags: Vec<_> = (first..first + TAGS_AT_ONCE)
            .map(|tag| format!("tag=t{tag}"))
            .collect();
        let reference = format!("{digest}?{}", tags.join("&"));
        session.push_manifest("bench/listed", &reference, manifest)?;
    }
    Ok(())
}

fn refer(session: &mut Session<'_>, subject: &str) -> Result<()> {
    let subject = serde_json::json!({
        "mediaType": IMAGE,
        "digest": sha256(subject.as_bytes()),
        "size": subject.len(),
    });
    for number in 0..REFERRERS {
        let mut referrer: Value = serde_json::from_str(&manifest(&Blob::noise(3, 4096)))?;
        if let Some(fields) = referrer.as_object_mut() {
            fields.insert("subject".to_owned(), subject.clone());
            fields.insert(
                "artifactType".to_owned(),
                "application/vnd.example.sbom".into(),
            );
            let annotations = serde_json::json!({ "number": number.to_string() });
            fields.insert("annotations".to_owned(), annotations);
        }
        let text = referrer.to_string();
        session.push_manifest("bench/listed", &sha256(text.as_bytes()), &text)?;
    }
    Ok(())
}

fn repositories(registry: &Registry, manifest: &str) -> Result<()> {
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| scope.spawn(move || create(registry, client, manifest)))
            .collect();
        clients.into_iter().try_for_each(|client| {
            client
                .join()
                .unwrap_or_else(|_panic| bail!("a client panicked"))
        })
    })
}

/// Makes every eighth repository, with blobs that are mounted.
fn create(registry: &Registry, client: usize, manifest: &str) -> Result<()> {
    let mut session = registry.open()?;
    let layer = Blob::noise(3, 4096).digest;
    let config = sha256(CONFIG);
    for number in (client..REPOSITORIES).step_by(CLIENTS) {
        let repository = format!("bench/repo{number}");
        for blob in [&config, &layer] {
            let mount = format!("/v2/{repository}/blobs/uploads/?mount={blob}&from=bench/listed");
            session.send(Request::post(mount).body(Vec::new()), 201)?;
        }
        session.push_manifest(&repository, "latest", manifest)?;
    }
    Ok(())
}
