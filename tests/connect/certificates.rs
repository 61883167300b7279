//! Certificates made for a test.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::symm::Cipher;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name};

/// A certificate and its key, as PEM.
pub(crate) struct Issued {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

impl Issued {
    /// The key, encrypted.
    pub(crate) fn locked(&self, password: &str) -> Vec<u8> {
        let key = PKey::private_key_from_pem(&self.key).unwrap();
        key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), password.as_bytes()).unwrap()
    }
}

/// A certificate authority.
pub(crate) struct Authority {
    key: PKey<Private>,
    name: X509Name,
    pub(crate) own: Issued,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Authority {
        let (key, subject) = (key(), subject(name));
        let mut builder = builder(&key, &subject, &subject, 1);
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
        let own = signed(builder, &key, &key);
        Authority { key, name: subject, own }
    }

    /// A certificate for a host or role, valid until so many days from now.
    pub(crate) fn issue(&self, name: &str, days: i64) -> Issued {
        let key = key();
        let mut builder = builder(&key, &subject(name), &self.name, days);
        let alternative = SubjectAlternativeName::new().dns(name).build(&builder.x509v3_context(None, None)).unwrap();
        builder.append_extension(alternative).unwrap();
        signed(builder, &key, &self.key)
    }
}

/// A certificate for a host that has signed itself with Ed25519, valid for a day.
pub(crate) fn ed25519(name: &str) -> Issued {
    let (key, subject) = (PKey::generate_ed25519().unwrap(), subject(name));
    let mut builder = builder(&key, &subject, &subject, 1);
    // the hash is part of the signature
    builder.sign(&key, MessageDigest::null()).unwrap();
    Issued { certificate: builder.build().to_pem().unwrap(), key: key.private_key_to_pem_pkcs8().unwrap() }
}

fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn subject(name: &str) -> X509Name {
    let mut builder = X509Name::builder().unwrap();
    builder.append_entry_by_text("CN", name).unwrap();
    builder.build()
}

fn builder(key: &PKey<Private>, subject: &X509Name, issuer: &X509Name, days: i64) -> X509Builder {
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let mut serial = BigNum::new().unwrap();
    serial.rand(120, MsbOption::MAYBE_ZERO, false).unwrap();
    builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(subject).unwrap();
    builder.set_issuer_name(issuer).unwrap();
    builder.set_pubkey(key).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let now = i64::try_from(now).unwrap();
    builder.set_not_before(&Asn1Time::from_unix(now - 3 * 86_400).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_unix(now + days * 86_400).unwrap()).unwrap();
    builder
}

fn signed(mut builder: X509Builder, key: &PKey<Private>, by: &PKey<Private>) -> Issued {
    builder.sign(by, MessageDigest::sha256()).unwrap();
    Issued { certificate: builder.build().to_pem().unwrap(), key: key.private_key_to_pem_pkcs8().unwrap() }
}

/// Writes a file that only its owner can read.
pub(crate) fn write(path: &Path, text: &[u8]) {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(text).unwrap();
}
