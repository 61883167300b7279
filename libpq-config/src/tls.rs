//! `sslmode` and the certificates, with libpq's meaning (PostgreSQL manual, "SSL Support").
//!
//! Says which files there are and what they are for; reads none of them.

use std::path::PathBuf;

use tokio_postgres::config::SslMode;

use crate::Error;
use crate::parameters::Parameters;

/// How connections over a network are protected.
#[derive(Clone)]
pub struct Tls {
    /// What of the server's certificate is checked.
    pub verify: Verify,
    /// What the client shows of itself to servers that ask.
    pub identity: Option<Identity>,
    /// With or without encryption, in the order to be tried.
    pub modes: &'static [SslMode],
}

/// What of the server's certificate is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verify {
    /// Nothing: whoever answers is believed.
    Nothing,
    /// It comes from a trusted CA.
    Authority(Roots),
    /// So it does, and it names the host.
    Host(Roots),
}

/// Which CAs are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roots {
    /// The system's.
    System,
    /// Those in this file.
    File(PathBuf),
}

/// A client certificate.
#[derive(Clone)]
pub struct Identity {
    /// Its file.
    pub certificate: PathBuf,
    /// The file of its key.
    pub key: PathBuf,
    /// What the key is encrypted with.
    pub password: Option<String>,
}

impl Tls {
    pub(crate) fn new(parameters: &Parameters, env: &impl Fn(&str) -> Option<String>) -> Result<Tls, Error> {
        let modes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"].map(|mode| (mode, mode));
        let mode = parameters.choice("sslmode", &modes, "disable, allow, prefer, require, verify-ca or verify-full")?;
        let home = env("HOME").map(|home| PathBuf::from(home).join(".postgresql"));
        let default = |name: &str| home.as_ref().map(|home| home.join(name)).filter(|path| path.exists());
        let roots = match parameters.get("sslrootcert") {
            Some("system") if !matches!(mode, None | Some("verify-full")) => return Err(Error::WeakMode),
            Some("system") => Some(Roots::System),
            Some(path) => Some(Roots::File(path.into())),
            None => default("root.crt").map(Roots::File),
        };
        let mode = mode.unwrap_or(if roots == Some(Roots::System) { "verify-full" } else { "prefer" });
        let verify = match (mode, roots) {
            ("verify-full", Some(roots)) => Verify::Host(roots),
            ("verify-ca" | "require", Some(roots)) => Verify::Authority(roots),
            ("verify-full" | "verify-ca", None) => return Err(Error::NoRoots),
            _ => Verify::Nothing,
        };
        let certificate = parameters.get("sslcert").map(PathBuf::from).or_else(|| default("postgresql.crt"));
        let identity = certificate.filter(|_| mode != "disable").map(|certificate| {
            let key = parameters.get("sslkey").map(PathBuf::from).or_else(|| default("postgresql.key"));
            let key =
                key.ok_or(Error::Value { key: "sslkey", expected: "given, as sslcert's certificate needs one" })?;
            Ok(Identity { certificate, key, password: parameters.get("sslpassword").map(str::to_owned) })
        });
        let modes: &[SslMode] = match mode {
            "disable" => &[SslMode::Disable],
            "allow" => &[SslMode::Disable, SslMode::Require],
            "prefer" => &[SslMode::Require, SslMode::Disable],
            _ => &[SslMode::Require],
        };
        Ok(Tls { verify, identity: identity.transpose()?, modes })
    }
}
