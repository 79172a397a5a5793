use super::{ConfigError, Layers};

/// How much is too much.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest file of a package, in bytes.
    pub max_package_bytes: u64,
}

impl Limits {
    /// The default of [`Limits::max_package_bytes`]: 2 GiB.
    pub const MAX_PACKAGE_BYTES: u64 = 2 << 30;

    pub(super) fn resolve(layers: &mut Layers) -> Result<Self, ConfigError> {
        let max_package_bytes = layers.required(
            "max-package-bytes",
            |layer| &layer.max_package_bytes,
            Self::MAX_PACKAGE_BYTES,
        );
        if max_package_bytes == 0 {
            return Err(ConfigError::Mismatch("max-package-bytes must not be 0"));
        }
        Ok(Self { max_package_bytes })
    }
}
