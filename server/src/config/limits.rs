use super::{ConfigError, Layers, Switch};

/// How much is too much.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest file of a package, in bytes.
    pub max_package_bytes: u64,
    /// The largest blob of a container image, in bytes.
    pub max_layer_bytes: u64,
    /// Whether a manifest may name children and layers that are not there.
    pub sparse_images: bool,
}

impl Limits {
    /// The default of [`Limits::max_package_bytes`]: 2 GiB.
    pub const MAX_PACKAGE_BYTES: u64 = 2 << 30;

    /// The default of [`Limits::max_layer_bytes`]: 10 GiB.
    pub const MAX_LAYER_BYTES: u64 = 10 << 30;

    pub(super) fn resolve(layers: &mut Layers) -> Result<Self, ConfigError> {
        let max_package_bytes = layers.required(
            "max-package-bytes",
            |layer| &layer.max_package_bytes,
            Self::MAX_PACKAGE_BYTES,
        );
        if max_package_bytes == 0 {
            return Err(ConfigError::Mismatch("max-package-bytes must not be 0"));
        }
        let max_layer_bytes = layers.required(
            "max-layer-bytes",
            |layer| &layer.max_layer_bytes,
            Self::MAX_LAYER_BYTES,
        );
        if max_layer_bytes == 0 {
            return Err(ConfigError::Mismatch("max-layer-bytes must not be 0"));
        }
        let sparse_images =
            layers.required("sparse-images", |layer| &layer.sparse_images, Switch::Off);
        Ok(Self {
            max_package_bytes,
            max_layer_bytes,
            sparse_images: sparse_images.is_on(),
        })
    }
}
