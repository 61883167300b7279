//! What `doctor` says of encryption.

use synapse_export::config::Config;
use synapse_export::doctor::{Severity, examine};

use super::servers;

#[test]
fn encryption_is_said_to_be_in_force_where_it_is() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (good, plain) = (&servers().good, &servers().plain);
    let elsewhere = plain.dsn("plain sslmode=disable").replace("host=localhost hostaddr=127.0.0.1", "host=0.0.0.0");
    for (dsn, kind, said) in [
        (good.dsn("tls sslmode=require"), Severity::Fine, "in force: TLSv1."),
        (good.dsn("plain sslmode=disable"), Severity::Fine, "loopback"),
        (plain.dsn("plain sslmode=prefer"), Severity::Fine, "loopback"),
        // an address that is not the loopback's, though the server sees the connection come from there
        (elsewhere, Severity::Warning, "not encrypted"),
        (plain.database.dsn(), Severity::Fine, "Unix socket"),
    ] {
        let config = Config::new(Some(&dsn), |_| None).unwrap();
        let examined = runtime.block_on(examine(&config, None, None));
        let finding = examined.findings.iter().find(|finding| finding.check == "tls").expect(&dsn);
        assert!(finding.severity == kind && finding.what.contains(said), "{dsn}: {finding:?}");
        assert_eq!(finding.remedy.is_some(), kind == Severity::Warning);
        // whatever the encryption
        let pooler = examined.findings.iter().find(|finding| finding.check == "pooler").expect(&dsn);
        assert!(pooler.what.contains("PostgreSQL itself answers"), "{dsn}: {pooler:?}");
    }
    let refused = Config::new(Some(&good.dsn("scram password=wrong sslmode=require")), |_| None).unwrap();
    let examined = runtime.block_on(examine(&refused, None, None));
    assert_eq!((examined.worst(), examined.findings[0].check), (Severity::Error, "connection"));
    assert!(examined.findings[0].remedy.as_ref().is_some_and(|remedy| remedy.contains("check the password")));
    assert!(!format!("{examined:?}").contains("wrong"));
}
