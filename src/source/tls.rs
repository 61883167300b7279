//! TLS with libpq's meaning of its certificates.
//!
//! Makes the connector that checks exactly what was asked for, from files that are read once; connects nowhere itself.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use libpq_config::{Identity, Roots, Tls, Verify};
use openssl::pkey::PKey;
use postgres_native_tls::MakeTlsConnector;

use super::error::Error;

/// The connector that checks of a server's certificate exactly what was asked for.
pub(crate) fn connector(tls: &Tls) -> Result<MakeTlsConnector, Error> {
    let mut builder = native_tls::TlsConnector::builder();
    let roots = match &tls.verify {
        Verify::Nothing => {
            builder.danger_accept_invalid_certs(true).danger_accept_invalid_hostnames(true);
            &Roots::System
        }
        Verify::Authority(roots) => {
            builder.danger_accept_invalid_hostnames(true);
            roots
        }
        Verify::Host(roots) => roots,
    };
    if let Roots::File(path) = roots {
        builder.disable_built_in_roots(true);
        let pem = read("sslrootcert", path)?;
        let certificates =
            native_tls::Certificate::stack_from_pem(&pem).map_err(|e| unusable("sslrootcert", path, e))?;
        if certificates.is_empty() {
            return Err(unusable("sslrootcert", path, "it holds no certificate in PEM format"));
        }
        for certificate in certificates {
            builder.add_root_certificate(certificate);
        }
    }
    if let Some(identity) = &tls.identity {
        builder.identity(client_certificate(identity)?);
    }
    Ok(MakeTlsConnector::new(builder.build().map_err(|e| Error::Tls(e.to_string()))?))
}

/// Reads the client's certificate and its key, in any of OpenSSL's formats, encrypted or not.
fn client_certificate(identity: &Identity) -> Result<native_tls::Identity, Error> {
    let Identity { certificate, key, password } = identity;
    check_permissions(key)?;
    let bytes = read("sslkey", key)?;
    let mut asked = false;
    let unlocked = PKey::private_key_from_pem_callback(&bytes, |buffer| {
        asked = true;
        let password = password.as_deref().unwrap_or_default().as_bytes();
        let Some(target) = buffer.get_mut(..password.len()) else { return Ok(0) };
        target.copy_from_slice(password);
        Ok(password.len())
    });
    let pkcs8 = match unlocked.or_else(|e| if asked { Err(e) } else { PKey::private_key_from_der(&bytes) }) {
        Ok(key) => key.private_key_to_pem_pkcs8(),
        Err(_) if asked && password.is_none() => {
            return Err(unusable("sslkey", key, "it is encrypted: give sslpassword too"));
        }
        Err(_) if asked => return Err(unusable("sslkey", key, "sslpassword does not decrypt it")),
        Err(error) => Err(error),
    };
    let pkcs8 = pkcs8.map_err(|e| unusable("sslkey", key, e))?;
    let chain = read("sslcert", certificate)?;
    native_tls::Identity::from_pkcs8(&chain, &pkcs8).map_err(|e| unusable("sslcert", certificate, e))
}

/// As libpq: the key is its owner's alone, or root's and a group's.
fn check_permissions(key: &Path) -> Result<(), Error> {
    let metadata = std::fs::metadata(key).map_err(|e| unusable("sslkey", key, e))?;
    let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    match metadata.mode() & forbidden {
        _ if !metadata.is_file() => Err(unusable("sslkey", key, "it is no plain file")),
        0 => Ok(()),
        _ => Err(unusable("sslkey", key, "others can read it; run chmod 600 on it")),
    }
}

fn read(key: &str, path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|e| unusable(key, path, e))
}

fn unusable(key: &str, path: &Path, problem: impl std::fmt::Display) -> Error {
    Error::Tls(format!("cannot use {} ({key}): {problem}", path.display()))
}
