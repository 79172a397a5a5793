//! Images: pulled beside nginx with the same bytes, pushed and pulled beside other registries.
//!
//! Besides nginx there are Debian's `docker-registry`, where it is installed, and NORA, where
//! `PACKHOUSE_PEERS_DIR` has it. Neither of them asks anybody who they are.

mod lists;
mod pulls;
mod pushes;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use packhouse_testkit::http::{Connection, Request, Response};
use packhouse_testkit::images::{CONFIG as CONFIG_TYPE, IMAGE, LAYER, sha256};
use packhouse_testkit::ports;
use serde_json::json;

use super::peers::{self, Peer};
use super::{Bench, OWNER, publishers};
use crate::command::find;

const CONFIG: &[u8] = b"{}";
const MIB: usize = 1024 * 1024;

pub(super) fn run(bench: &Bench) -> Result<()> {
    let peers = [docker_registry(bench)?, peers::nora_if_named(bench)?];
    let mut registries = vec![Registry {
        name: "packhouse",
        base: bench.server.base().to_owned(),
        token: Some(bench.token.clone()),
    }];
    for peer in peers.iter().flatten() {
        registries.push(Registry {
            name: peer.name,
            base: peer.base.clone(),
            token: None,
        });
    }
    pulls::run(bench, &registries)?;
    pushes::run(&registries)?;
    if let Some(own) = registries.first() {
        lists::run(own)?;
    }
    Ok(())
}

/// Debian's package of the distribution project's registry.
fn docker_registry(bench: &Bench) -> Result<Option<Peer>> {
    if find("docker-registry").is_none() {
        eprintln!("SKIPPED: no docker-registry: apt-get install docker-registry");
        return Ok(None);
    }
    let port = ports::free();
    let data = bench.folder.path().join("docker-registry");
    fs::create_dir_all(&data)?;
    let config = data.join("config.yml");
    fs::write(&config, registry_config(&data, port))?;
    let mut command = Command::new("docker-registry");
    command.arg("serve").arg(&config);
    peers::start("docker-registry", command, port, "", "/v2/").map(Some)
}

fn registry_config(data: &Path, port: u16) -> String {
    format!(
        "version: 0.1\n\
         log: {{ level: error, accesslog: {{ disabled: true }} }}\n\
         storage:\n  filesystem: {{ rootdirectory: {}/storage }}\n\
         http: {{ addr: 127.0.0.1:{port} }}\n",
        data.display()
    )
}

/// A registry that images are pushed to.
#[derive(Clone)]
struct Registry {
    name: &'static str,
    base: String,
    token: Option<String>,
}

impl Registry {
    fn open(&self) -> Result<Session<'_>> {
        Ok(Session {
            registry: self,
            connection: Connection::open(&self.base)?,
        })
    }
}

/// One client's connection.
struct Session<'a> {
    registry: &'a Registry,
    connection: Connection,
}

impl Session<'_> {
    fn send(&mut self, request: Request, status: u16) -> Result<Response> {
        let request = match &self.registry.token {
            Some(token) => request.basic(OWNER, token),
            None => request,
        };
        let answer = self.connection.send(&request)?;
        let name = self.registry.name;
        ensure!(answer.status == status, "{name}: {answer}");
        Ok(answer)
    }

    /// As containerd does: a session, and the whole blob in one PUT.
    fn push_blob(&mut self, repository: &str, blob: &Blob) -> Result<()> {
        let start = Request::post(format!("/v2/{repository}/blobs/uploads/")).body(Vec::new());
        let opened = self.send(start, 202)?;
        let location = opened.header("location").context("no Location")?;
        let location = location.strip_prefix(self.registry.base.as_str());
        let location = location.map_or_else(
            || opened.header("location").unwrap_or_default().to_owned(),
            str::to_owned,
        );
        let mark = if location.contains('?') { '&' } else { '?' };
        let put = Request::put(format!("{location}{mark}digest={}", blob.digest))
            .header("content-type", "application/octet-stream")
            .body(blob.bytes.clone());
        self.send(put, 201).map(drop)
    }

    fn push_manifest(&mut self, repository: &str, reference: &str, manifest: &str) -> Result<()> {
        let put = Request::put(format!("/v2/{repository}/manifests/{reference}"))
            .header("content-type", IMAGE)
            .body(manifest.to_owned());
        self.send(put, 201).map(drop)
    }

    fn push_image(&mut self, repository: &str, tag: &str, layer: &Blob) -> Result<()> {
        self.push_blob(repository, layer)?;
        self.push_manifest(repository, tag, &manifest(layer))
    }
}

/// Bytes and their digest.
struct Blob {
    bytes: bytes::Bytes,
    digest: String,
}

impl Blob {
    fn new(bytes: impl Into<bytes::Bytes>) -> Self {
        let bytes = bytes.into();
        let digest = sha256(&bytes);
        Self { bytes, digest }
    }

    /// Bytes that do not compress, different for every seed.
    fn noise(seed: usize, len: usize) -> Self {
        const PERIOD: usize = 64 * 1024;
        let period = publishers::noise(seed, PERIOD);
        let mut bytes = Vec::with_capacity(len);
        while bytes.len() < len {
            let left = (len - bytes.len()).min(PERIOD);
            bytes.extend(period.iter().take(left));
        }
        Self::new(bytes)
    }
}

/// An image of one layer.
fn manifest(layer: &Blob) -> String {
    json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": {
            "mediaType": CONFIG_TYPE,
            "digest": sha256(CONFIG),
            "size": CONFIG.len(),
        },
        "layers": [{
            "mediaType": LAYER,
            "digest": layer.digest,
            "size": layer.bytes.len(),
        }],
    })
    .to_string()
}
