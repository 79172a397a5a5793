//! Images made from nothing, as a folder in the OCI's image layout.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::archives::{TarGz, gzip};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// What is to be in an image.
#[derive(Clone, Debug)]
pub struct Image {
    /// `amd64`, `arm64`, …
    pub architecture: &'static str,
    /// One layer for each: a file of that name and content.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Image {
    /// An image for `amd64` with a layer for each of these files.
    #[must_use]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let owned =
            |(name, content): &(&str, &str)| ((*name).to_owned(), content.as_bytes().into());
        Self {
            architecture: "amd64",
            files: files.iter().map(owned).collect(),
        }
    }

    /// The same for another architecture.
    #[must_use]
    pub fn on(mut self, architecture: &'static str) -> Self {
        self.architecture = architecture;
        self
    }
}

/// A folder in the OCI's image layout.
#[derive(Debug)]
pub struct Layout {
    folder: PathBuf,
    /// The digest of what `index.json` names.
    pub digest: String,
}

impl Layout {
    /// Writes an image under the name `latest`.
    ///
    /// # Panics
    ///
    /// When the folder cannot be written.
    #[must_use]
    #[track_caller]
    pub fn image(folder: &Path, image: &Image) -> Self {
        let layout = Self::begin(folder);
        let descriptor = layout.add_image(image);
        layout.end(descriptor)
    }

    /// Writes an index of images under the name `latest`.
    ///
    /// # Panics
    ///
    /// When the folder cannot be written.
    #[must_use]
    #[track_caller]
    pub fn index(folder: &Path, images: &[Image]) -> Self {
        let layout = Self::begin(folder);
        let manifests: Vec<Value> = images
            .iter()
            .map(|image| {
                let mut descriptor = layout.add_image(image);
                let platform = json!({"os": "linux", "architecture": image.architecture});
                insert(&mut descriptor, "platform", platform);
                descriptor
            })
            .collect();
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
        let descriptor = layout.add(INDEX, index.to_string().as_bytes());
        layout.end(descriptor)
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Every blob's digest and content, sorted.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[must_use]
    #[track_caller]
    pub fn blobs(folder: &Path) -> Vec<(String, Vec<u8>)> {
        let blobs = folder.join("blobs/sha256");
        let entries = match std::fs::read_dir(&blobs) {
            Ok(entries) => entries,
            Err(error) => panic!("{}: {error}", blobs.display()),
        };
        let mut found: Vec<(String, Vec<u8>)> = entries
            .flatten()
            .map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                match std::fs::read(entry.path()) {
                    Ok(bytes) => (name, bytes),
                    Err(error) => panic!("{name}: {error}"),
                }
            })
            .collect();
        found.sort();
        found
    }

    #[track_caller]
    fn begin(folder: &Path) -> Self {
        let layout = Self {
            folder: folder.to_owned(),
            digest: String::new(),
        };
        let version = json!({"imageLayoutVersion": "1.0.0"}).to_string();
        layout.write("oci-layout", version.as_bytes());
        layout
    }

    #[track_caller]
    fn end(mut self, mut descriptor: Value) -> Self {
        let digest = descriptor.get("digest").and_then(Value::as_str);
        self.digest = digest.unwrap_or_default().to_owned();
        let name = json!({"org.opencontainers.image.ref.name": "latest"});
        insert(&mut descriptor, "annotations", name);
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor]});
        self.write("index.json", index.to_string().as_bytes());
        self
    }

    #[track_caller]
    fn add_image(&self, image: &Image) -> Value {
        let mut layers = Vec::new();
        let mut unpacked = Vec::new();
        for (name, content) in &image.files {
            let tar = TarGz::builder().file(name, content).build_tar();
            unpacked.push(digest(&tar));
            layers.push(self.add(LAYER, &gzip(&tar)));
        }
        let config = json!({
            "architecture": image.architecture,
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": unpacked},
        });
        let config = self.add(CONFIG, config.to_string().as_bytes());
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config,
            "layers": layers,
        });
        self.add(MANIFEST, manifest.to_string().as_bytes())
    }

    #[track_caller]
    fn add(&self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = digest(bytes);
        self.write(&format!("blobs/{}", digest.replace(':', "/")), bytes);
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    #[track_caller]
    fn write(&self, file: &str, bytes: &[u8]) {
        let path = self.folder.join(file);
        let written = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&path, bytes));
        if let Err(error) = written {
            panic!("{}: {error}", path.display());
        }
    }
}

fn insert(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

fn digest(bytes: &[u8]) -> String {
    let mut text = "sha256:".to_owned();
    for byte in Sha256::digest(bytes) {
        // writing to a string cannot fail
        let _ = write!(text, "{byte:02x}");
    }
    text
}
