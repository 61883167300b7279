//! Keys as people write them down: `EsT6 67E8 …`, 32 bytes in base58 with a prefix and a parity byte ("Cryptographic key
//! representation" in the client-server specification).

use zeroize::Zeroizing;

const PREFIX: [u8; 2] = [0x8b, 0x01];

/// Why a text is no recovery key. Quotes nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A character that base58 does not have.
    #[error("it has a character that no recovery key has")]
    Character,
    /// It is of another kind, or a part is missing.
    #[error("it is too long or too short, or begins as no recovery key does")]
    Form,
    /// A character is wrong.
    #[error("its characters do not fit together: is one of them mistyped?")]
    Parity,
}

/// The key that a text writes down; white space means nothing.
pub fn parse(text: &str) -> Result<Zeroizing<[u8; 32]>, Error> {
    let text: Zeroizing<String> = Zeroizing::new(text.split_whitespace().collect());
    if text.len() > 64 {
        return Err(Error::Form);
    }
    let bytes = Zeroizing::new(bs58::decode(&*text).into_vec().map_err(|_| Error::Character)?);
    if bytes.len() != 35 || bytes[..2] != PREFIX {
        return Err(Error::Form);
    }
    if bytes.iter().fold(0, |parity, byte| parity ^ byte) != 0 {
        return Err(Error::Parity);
    }
    bytes[2..34].try_into().map(Zeroizing::new).map_err(|_| Error::Form)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first of the specification's test vectors' form: bytes that are known.
    fn written(bytes: [u8; 32]) -> String {
        let mut all = [&PREFIX[..], &bytes].concat();
        all.push(all.iter().fold(0, |parity, byte| parity ^ byte));
        let text = bs58::encode(all).into_string();
        text.as_bytes().chunks(4).map(|part| std::str::from_utf8(part).unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_key_is_read_however_it_is_spaced() {
        let text = written([7; 32]);
        assert_eq!(*parse(&text).unwrap(), [7; 32]);
        assert_eq!(*parse(&format!("  {}\n", text.replace(' ', ""))).unwrap(), [7; 32]);
    }

    #[test]
    fn what_is_no_key_is_told_apart() {
        let text = written([7; 32]);
        assert_eq!(parse("").unwrap_err(), Error::Form);
        assert_eq!(parse(&text[..text.len() - 2]).unwrap_err(), Error::Form);
        assert_eq!(parse("EsT0").unwrap_err(), Error::Character);
        assert_eq!(parse(&"E".repeat(1_000_000)).unwrap_err(), Error::Form);
        let end = text.len() - 1;
        let other = if text.ends_with('2') { "3" } else { "2" };
        assert!(matches!(parse(&(text[..end].to_owned() + other)).unwrap_err(), Error::Parity | Error::Form));
    }
}
