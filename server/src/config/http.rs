use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::{ConfigError, Domain, Layers, PublicUrl};

/// Where the server listens, and under which names clients know it.
#[derive(Debug, Clone)]
pub struct Http {
    pub listen: SocketAddr,
    pub public_url: Option<PublicUrl>,
    pub domain: Option<Domain>,
    /// Where the Docker registry of repositories listens, if it has a listener of its own.
    pub docker_listen: Option<SocketAddr>,
    pub docker_public_url: Option<PublicUrl>,
    pub tls: Option<TlsFiles>,
}

/// What TLS needs, both in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Http {
    /// The port of [`Http::listen`] unless another is configured.
    pub const DEFAULT_PORT: u16 = 8080;

    pub(super) fn resolve(layers: &mut Layers) -> Result<Self, ConfigError> {
        let default = SocketAddr::from((Ipv4Addr::LOCALHOST, Self::DEFAULT_PORT));
        let listen = layers.required("listen", |layer| &layer.listen, default);
        let public_url = layers.optional("public-url", |layer| &layer.public_url);
        let domain = layers.optional("domain", |layer| &layer.domain);
        let docker_listen = layers.optional("docker-listen", |layer| &layer.docker_listen);
        let docker_public_url =
            layers.optional("docker-public-url", |layer| &layer.docker_public_url);
        let certificate = layers.optional("tls-cert", |layer| &layer.tls_cert);
        let key = layers.optional("tls-key", |layer| &layer.tls_key);
        let tls = match (certificate, key) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            (None, None) => None,
            _ => {
                return Err(ConfigError::Mismatch(
                    "tls-cert and tls-key are needed together",
                ));
            }
        };
        Ok(Self {
            listen,
            public_url,
            domain,
            docker_listen,
            docker_public_url,
            tls,
        })
    }
}
