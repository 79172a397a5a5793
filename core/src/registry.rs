use async_trait::async_trait;
use http::{HeaderMap, header};
use packhouse_names::{Ecosystem, NormalizedName, PackageName};
use packhouse_wire::{Body, Head, Path, Reply};

use crate::cx::{ReadCx, WriteCx};
use crate::fault::Fault;
use crate::policy::Need;

/// A package ecosystem: translates one wire protocol to and from the core model.
///
/// Implementations hold no state about packages. Everything they learn or change goes through
/// the context they are handed.
pub trait Registry: Send + Sync + 'static {
    /// Which ecosystem this is.
    fn ecosystem(&self) -> Ecosystem;

    /// Where this ecosystem's clients insist to find it. The addresses themselves belong to the
    /// server.
    fn mount(&self) -> Mount {
        Mount::AnyPrefix
    }

    /// Every request shape that `route` knows, as `METHOD /pattern` with `{placeholders}`.
    ///
    /// It is the metric label and the list that the permission test walks, so a call's
    /// [`label`](ReadCall::label) must be one of these.
    fn routes(&self) -> &'static [&'static str];

    /// Reads the head of a request and names the call.
    ///
    /// Pure: no I/O, no body, no clock. Never panics, whatever the bytes. HEAD arrives as GET.
    ///
    /// # Errors
    /// [`Fault::NoRoute`] for what the protocol does not have, [`Fault::Invalid`] for a name it
    /// would never accept.
    fn route(&self, head: &Head) -> Result<Call, Fault>;

    /// Whether a path at the root of a host is one that clients send there although the registry
    /// lies below a path: they drop the path that they were configured with. The answer is that
    /// of the registry. By default there is none.
    fn is_stray(&self, _path: &Path) -> bool {
        false
    }

    /// A package's name as a person or the management API spells it, checked and normalized.
    ///
    /// # Errors
    /// [`Fault::Invalid`] with the rule that the text breaks.
    fn name(&self, text: &str) -> Result<(PackageName, NormalizedName), Fault>;

    /// Finds the caller's credentials. The default understands Basic and Bearer.
    ///
    /// # Errors
    /// [`Fault::Invalid`] for a header that cannot be read, or more than one.
    fn credentials(&self, headers: &HeaderMap) -> Result<Option<Credentials>, Fault> {
        Credentials::basic_or_bearer(headers)
    }

    /// Says "no" in this ecosystem's own words, challenge header included. `head` knows the base
    /// it came in by; `route` it again to learn which call was refused.
    fn fault(&self, fault: &Fault, head: &Head) -> Reply;
}

/// Where clients can find a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mount {
    /// Under whatever address they are given.
    AnyPrefix,
    /// At the root of a host alone: the first segments of its addresses, which `route` gets to
    /// see.
    Root(&'static [&'static str]),
}

/// One decoded request. The split is what makes reads unable to write.
pub enum Call {
    /// Answers from what is there.
    Read(Need, Box<dyn ReadCall>),
    /// Changes something; gets the body.
    Write(Need, Box<dyn WriteCall>),
}

impl Call {
    /// What must be granted before the call may run.
    #[must_use]
    pub fn need(&self) -> &Need {
        match self {
            Self::Read(need, _) | Self::Write(need, _) => need,
        }
    }

    /// The entry of [`Registry::routes`] that this call came by.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Read(_, call) => call.label(),
            Self::Write(_, call) => call.label(),
        }
    }
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Call")
            .field(&self.label())
            .field(self.need())
            .finish()
    }
}

/// A decoded request that changes nothing.
#[async_trait]
pub trait ReadCall: Send {
    /// The entry of [`Registry::routes`] that this call came by.
    fn label(&self) -> &'static str;

    /// Answers.
    ///
    /// # Errors
    /// A [`Fault`], which the format words.
    async fn run(self: Box<Self>, cx: &ReadCx, head: &Head) -> Result<Reply, Fault>;
}

/// A decoded request that changes something.
#[async_trait]
pub trait WriteCall: Send {
    /// The entry of [`Registry::routes`] that this call came by.
    fn label(&self) -> &'static str;

    /// Reads the body, does the deed, answers.
    ///
    /// # Errors
    /// A [`Fault`], which the format words.
    async fn run(self: Box<Self>, cx: &WriteCx, head: &Head, body: Body) -> Result<Reply, Fault>;
}

/// What a client sent to say who it is. Accounts have no passwords: a password field holds a
/// token, and the user name beside it is not looked at.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The text that should be a token.
    pub secret: String,
    /// How it came, because clients word a refusal by it.
    pub scheme: Scheme,
}

/// How credentials came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Basic,
    Bearer,
}

impl Credentials {
    /// Reads the `Authorization` header as Basic or Bearer; no header is nobody.
    ///
    /// # Errors
    /// [`Fault::Invalid`] for more than one header, another scheme, or Basic that is not base64 of
    /// `user:password`.
    pub fn basic_or_bearer(headers: &HeaderMap) -> Result<Option<Self>, Fault> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(Fault::invalid(
                "authorization",
                "more than one Authorization header",
            ));
        }
        let unreadable = || Fault::invalid("authorization", "the header cannot be read");
        let text = value.to_str().map_err(|_not_text| unreadable())?;
        let (scheme, rest) = text.split_once(' ').ok_or_else(unreadable)?;
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Ok(Some(Self {
                secret: rest.to_owned(),
                scheme: Scheme::Bearer,
            }));
        }
        if scheme.eq_ignore_ascii_case("basic") {
            let pair = crate::policy::decode_basic(rest).ok_or_else(unreadable)?;
            let (_user, password) = pair.split_once(':').ok_or_else(unreadable)?;
            return Ok(Some(Self {
                secret: password.to_owned(),
                scheme: Scheme::Basic,
            }));
        }
        Err(unreadable())
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({:?}, …)", self.scheme)
    }
}
