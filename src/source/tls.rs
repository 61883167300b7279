//! TLS with libpq's meaning of `sslmode`.

use postgres_native_tls::MakeTlsConnector;

use super::Error;
use crate::config::{Config, Verify};

/// The connector that checks of a server's certificate exactly what was asked for.
pub(super) fn connector(config: &Config) -> Result<MakeTlsConnector, Error> {
    let failed = |e: native_tls::Error| Error::Tls(e.to_string());
    let mut builder = native_tls::TlsConnector::builder();
    match config.verify {
        Verify::Nothing => builder.danger_accept_invalid_certs(true).danger_accept_invalid_hostnames(true),
        Verify::Authority => builder.danger_accept_invalid_hostnames(true),
        Verify::Host => &mut builder,
    };
    if let Some(path) = config.root_certificate.as_deref().filter(|path| path.as_os_str() != "system") {
        let unusable = |e: String| Error::Tls(format!("the root certificate {}: {e}", path.display()));
        let pem = std::fs::read(path).map_err(|e| unusable(e.to_string()))?;
        builder.disable_built_in_roots(true);
        for certificate in native_tls::Certificate::stack_from_pem(&pem).map_err(|e| unusable(e.to_string()))? {
            builder.add_root_certificate(certificate);
        }
    }
    Ok(MakeTlsConnector::new(builder.build().map_err(failed)?))
}
