//! The clients of container registries: where each comes from, a folder that keeps what it writes
//! to itself, the engines that some of them need, and images of the tests' own.

mod alone;
mod engine;
mod image;
mod kit;
mod tool;

pub use engine::{Containerd, DockerEngine};
pub use image::{Image, Layout};
pub use kit::Kit;
pub use tool::{
    BUILDAH, CONTAINER_TOOLS, CONTAINERD, COSIGN, CRANE, CTR, DOCKER, DOCKERD, GoModule, GoVersion,
    HELM, OLDEST_GO, ORAS, PODMAN, REGCTL, SKOPEO, Source, Tool,
};
