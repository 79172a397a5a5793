use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use packhouse_core::registry::Mount;
use packhouse_names::Ecosystem;
use packhouse_wire::{BaseUrl, BaseUrlError, Path, PathError};

use crate::compose::Registries;
use crate::config::Http;

/// The first segment of every path-style address.
const PATH_STYLE: &str = "_registry";

/// Where clients reach a server, as far as its configuration and its listener say.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// What the listener took, the real port included.
    pub listener: SocketAddr,
    /// Whether the listener speaks TLS.
    pub is_tls: bool,
}

/// Why no addresses can be made.
#[derive(Debug, thiserror::Error)]
#[error("the address {text} cannot stand in documents: {error}")]
pub struct MountError {
    text: String,
    error: BaseUrlError,
}

/// Which registry an address belongs to, and the base that its documents are rendered with.
///
/// `Host` only picks among configured bases; it is never copied into anything.
#[derive(Debug)]
pub struct Mounts {
    /// Path style; the first one is for a `Host` that is none of them.
    bases: Vec<PathStyleBase>,
    hosts: Vec<HostStyle>,
    /// Each registry, in the order of registration.
    /// Asked whether they know a path at the root that clients make by mistake; nobody is where a
    /// registry has the listener to itself.
    strays: Option<Registries>,
    known: Vec<Known>,
    /// The registry at the root of every base.
    root: Option<usize>,
}

/// What mounting needs to know of a registry.
#[derive(Debug, Clone, Copy)]
struct Known {
    ecosystem: Ecosystem,
    mount: Mount,
}

impl Known {
    /// The ecosystem's word in path style; none where clients know no path.
    fn word(self) -> Option<&'static str> {
        (self.mount == Mount::AnyPrefix).then(|| self.ecosystem.as_str())
    }

    /// The name below `--domain`.
    fn host(self) -> &'static str {
        match self.ecosystem {
            Ecosystem::Container => "containers",
            other => other.as_str(),
        }
    }
}

/// A base of path style, and below it one for each registry.
#[derive(Debug)]
struct PathStyleBase {
    authority: Box<str>,
    /// The path of the base itself, for a proxy in front that does not strip it.
    prefix: Vec<Box<str>>,
    /// The same without that path: where a registry at the root is.
    origin: BaseUrl,
    registries: Vec<BaseUrl>,
}

/// A host of one registry's own.
#[derive(Debug)]
struct HostStyle {
    /// Lower case, without a port.
    host: Box<str>,
    registry: usize,
    base: BaseUrl,
}

/// Where a request goes.
#[derive(Debug)]
pub(crate) enum Place<'a> {
    Registry {
        registry: usize,
        base: &'a BaseUrl,
        path: Path,
    },
    /// One of the house's own addresses, or nothing; `path` is below the base.
    House { path: Path },
}

impl Mounts {
    /// Mounts registries on every base that the configuration names.
    ///
    /// # Errors
    /// [`MountError`] for an address that cannot stand in a document.
    pub fn new(
        http: &Http,
        addresses: &Addresses,
        registries: &Registries,
    ) -> Result<Self, MountError> {
        let scheme = if addresses.is_tls { "https" } else { "http" };
        let known = known(registries);
        let bases = match &http.public_url {
            Some(url) => vec![url.base().clone()],
            None => own_hosts(addresses.listener)
                .into_iter()
                .map(|host| base(scheme, &host, Some(addresses.listener.port())))
                .collect::<Result<_, _>>()?,
        };
        let hosts = match &http.domain {
            None => Vec::new(),
            Some(domain) => {
                // names below the domain are served the way the main address is
                let (scheme, port) = match &http.public_url {
                    Some(url) => scheme_and_port(url.base()),
                    None => (scheme, Some(addresses.listener.port())),
                };
                let host_style = |(registry, known): (usize, &Known)| {
                    let host = format!("{}.{domain}", known.host());
                    Ok(HostStyle {
                        base: base(scheme, &host, port)?,
                        host: host.into(),
                        registry,
                    })
                };
                known
                    .iter()
                    .enumerate()
                    .map(host_style)
                    .collect::<Result<_, _>>()?
            }
        };
        let strays = Some(registries.clone());
        Self::build(&bases, hosts, known, strays, Ecosystem::Container)
    }

    /// Mounts the Docker registry of repositories at the root of its own listener.
    ///
    /// # Errors
    /// [`MountError`] for an address that cannot stand in a document.
    pub fn of_docker(
        http: &Http,
        addresses: &Addresses,
        registries: &Registries,
    ) -> Result<Self, MountError> {
        let scheme = if addresses.is_tls { "https" } else { "http" };
        let port = Some(addresses.listener.port());
        let bases = match (&http.docker_public_url, &http.public_url) {
            (Some(url), _) => vec![url.base().clone()],
            (None, Some(url)) => {
                let (scheme, _) = scheme_and_port(url.base());
                let authority = url.base().authority();
                let host = authority
                    .rsplit_once(':')
                    .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
                    .map_or(authority, |(host, _port)| host);
                vec![base(scheme, host, port)?]
            }
            (None, None) => own_hosts(addresses.listener)
                .into_iter()
                .map(|host| base(scheme, &host, port))
                .collect::<Result<_, _>>()?,
        };
        let mut known = known(registries);
        for other in &mut known {
            // nothing else is served here
            other.mount = Mount::Root(match other.mount {
                Mount::Root(first) if other.ecosystem == Ecosystem::Docker => first,
                _ => &[],
            });
        }
        Self::build(&bases, Vec::new(), known, None, Ecosystem::Docker)
    }

    fn build(
        bases: &[BaseUrl],
        hosts: Vec<HostStyle>,
        known: Vec<Known>,
        strays: Option<Registries>,
        at_root: Ecosystem,
    ) -> Result<Self, MountError> {
        Ok(Self {
            bases: bases
                .iter()
                .map(|base| PathStyleBase::new(base, &known))
                .collect::<Result<_, _>>()?,
            hosts,
            strays,
            root: known.iter().position(|known| known.ecosystem == at_root),
            known,
        })
    }

    /// Finds what a request's host and raw path name.
    pub(crate) fn find(&self, host: Option<&str>, raw: &str) -> Result<Place<'_>, PathError> {
        let mut path = Path::parse(raw)?;
        let host = host.unwrap_or_default();
        if let Some(own) = self.host_style(host) {
            // a lock file made in path style, sent here by a client that swaps hosts
            self.skip_mount(&mut path, &[], own.registry);
            return Ok(Place::Registry {
                registry: own.registry,
                base: &own.base,
                path,
            });
        }
        let base = self
            .bases
            .iter()
            .find(|base| base.authority.eq_ignore_ascii_case(host))
            .or(self.bases.first());
        let Some(base) = base else {
            return Ok(Place::House { path });
        };
        path.skip_prefix(parts(&base.prefix));
        if let Some(registry) = self.registry_below(&path)
            && let Some(address) = base.registries.get(registry)
        {
            // npm's `unpublish` and its lock files send a prefix that is there already once more
            self.skip_mount(&mut path, &[], registry);
            self.skip_mount(&mut path, &base.prefix, registry);
            return Ok(Place::Registry {
                registry,
                base: address,
                path,
            });
        }
        let first = path.iter().next().unwrap_or_default();
        if let Some(registry) = self.root_registry(first) {
            return Ok(Place::Registry {
                registry,
                base: &base.origin,
                path,
            });
        }
        if let Some(strays) = &self.strays
            && let Some(registry) = strays.iter().position(|one| one.is_stray(&path))
            && let Some(address) = base.registries.get(registry)
        {
            return Ok(Place::Registry {
                registry,
                base: address,
                path,
            });
        }
        Ok(Place::House { path })
    }

    /// The registry at the root that a raw path which cannot be read would have gone to, so that
    /// it is refused in words that the client reads.
    pub(crate) fn find_unreadable(
        &self,
        host: Option<&str>,
        raw: &str,
    ) -> Option<(usize, &BaseUrl)> {
        let host = host.unwrap_or_default();
        let first = raw.split('/').find(|part| !part.is_empty())?;
        if let Some(own) = self.host_style(host) {
            let known = self.known.get(own.registry)?;
            let is_root = matches!(known.mount, Mount::Root(_));
            return is_root.then_some((own.registry, &own.base));
        }
        let base = self
            .bases
            .iter()
            .find(|base| base.authority.eq_ignore_ascii_case(host))
            .or(self.bases.first())?;
        Some((self.root_registry(first)?, &base.origin))
    }

    fn root_registry(&self, first: &str) -> Option<usize> {
        let registry = self.root?;
        match self.known.get(registry)?.mount {
            Mount::Root(segments) if segments.contains(&first) => Some(registry),
            _ => None,
        }
    }

    fn host_style(&self, host: &str) -> Option<&HostStyle> {
        if self.hosts.is_empty() {
            return None;
        }
        let name = host.rsplit_once(':').map_or(host, |(name, _port)| name);
        self.hosts
            .iter()
            .find(|own| own.host.eq_ignore_ascii_case(name))
    }

    fn registry_below(&self, path: &Path) -> Option<usize> {
        let mut segments = path.iter();
        if segments.next() != Some(PATH_STYLE) {
            return None;
        }
        let word = segments.next()?;
        self.known
            .iter()
            .position(|known| known.word() == Some(word))
    }

    fn skip_mount(&self, path: &mut Path, prefix: &[Box<str>], registry: usize) {
        let Some(word) = self.known.get(registry).and_then(|known| known.word()) else {
            return;
        };
        let mount = [PATH_STYLE, word];
        if !path.skip_prefix(parts(prefix).chain(mount)) {
            path.skip_prefix(mount);
        }
    }
}

fn known(registries: &Registries) -> Vec<Known> {
    registries
        .iter()
        .map(|registry| Known {
            ecosystem: registry.ecosystem(),
            mount: registry.mount(),
        })
        .collect()
}

fn parts(prefix: &[Box<str>]) -> impl Iterator<Item = &str> {
    prefix.iter().map(|part| &**part)
}

impl PathStyleBase {
    fn new(address: &BaseUrl, known: &[Known]) -> Result<Self, MountError> {
        let path = address
            .as_str()
            .split_once("://")
            .and_then(|(_, rest)| rest.split_once('/'))
            .map_or("", |(_, path)| path);
        let (scheme, _) = scheme_and_port(address);
        Ok(Self {
            authority: address.authority().into(),
            origin: base(scheme, address.authority(), None)?,
            prefix: path
                .split('/')
                .filter(|part| !part.is_empty())
                .map(Into::into)
                .collect(),
            // one that has no word is found at the root alone
            registries: known
                .iter()
                .map(|known| known.word().unwrap_or_default())
                .map(|word| address.join(&format!("/{PATH_STYLE}/{word}")))
                .collect(),
        })
    }
}

/// A base as clients name it: the scheme's own port is not written.
fn base(scheme: &str, host: &str, port: Option<u16>) -> Result<BaseUrl, MountError> {
    let text = match (scheme, port) {
        ("http", Some(80)) | ("https", Some(443)) | (_, None) => format!("{scheme}://{host}"),
        (_, Some(port)) => format!("{scheme}://{host}:{port}"),
    };
    BaseUrl::new(&text).map_err(|error| MountError { text, error })
}

fn scheme_and_port(base: &BaseUrl) -> (&'static str, Option<u16>) {
    let scheme = if base.as_str().starts_with("https:") {
        "https"
    } else {
        "http"
    };
    let port = base
        .authority()
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok());
    (scheme, port)
}

/// What a listener without a public URL is called: its address, and on loopback `localhost`. A
/// listener on every interface has no address of its own; this machine's clients reach it by
/// loopback.
fn own_hosts(listener: SocketAddr) -> Vec<String> {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let mut hosts = vec![match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }];
    if ip.is_loopback() {
        hosts.push("localhost".to_owned());
    }
    hosts
}

#[cfg(test)]
mod tests;
