//! What encrypted events say, beside an archive that is there for one document: the lines keep what is stored.
//!
//! Each text is sealed under a key that only this process has, and never writes: so no plaintext is on the disk, whatever becomes of
//! the file.

use std::path::Path;

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _, Nonce};
use rusqlite::{Connection, OptionalExtension as _, params};
use zeroize::Zeroizing;

use super::super::Error;
use super::super::decrypted::NAME as FILE;
use super::Plaintext;

/// What the encrypted events of an archive say.
pub struct SealedPlaintexts {
    connection: Connection,
    cipher: ChaCha20Poly1305,
}

impl SealedPlaintexts {
    /// Makes the file, in a directory that has none.
    pub fn new(directory: &Path) -> Result<SealedPlaintexts, Error> {
        let mut key = Zeroizing::new([0; 32]);
        let random = getrandom::fill(&mut *key).map_err(std::io::Error::other);
        random.map_err(Error::io("get random bytes for", &directory.join(FILE)))?;
        let connection = Connection::open(directory.join(FILE))?;
        connection.execute_batch(
            "pragma journal_mode = off; pragma synchronous = off;
             create table plaintext (number integer primary key, event_id text not null unique, sealed blob not null) strict;
             begin",
        )?;
        Ok(SealedPlaintexts { connection, cipher: ChaCha20Poly1305::new(&(*key).into()) })
    }

    /// Keeps what an event says.
    pub fn put(&self, event_id: &str, plaintext: &Plaintext) -> Result<(), Error> {
        let sql = "insert into plaintext (event_id, sealed) values (?1, x'') on conflict do nothing returning number";
        let number: Option<i64> =
            self.connection.prepare_cached(sql)?.query_row([event_id], |row| row.get(0)).optional()?;
        let Some(number) = number else { return Ok(()) };
        let text = Zeroizing::new(serde_json::to_vec(plaintext).unwrap_or_default());
        let sealed = self.cipher.encrypt(&nonce(number), Payload { msg: &text, aad: event_id.as_bytes() });
        let sealed = sealed.unwrap_or_default();
        self.connection
            .prepare_cached("update plaintext set sealed = ?2 where number = ?1")?
            .execute(params![number, sealed])?;
        Ok(())
    }

    /// What an event says, if that is known.
    pub fn get(&self, event_id: &str) -> Result<Option<Plaintext>, Error> {
        let sql = "select number, sealed from plaintext where event_id = ?1";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?));
        let Some((number, sealed)) = self.connection.prepare_cached(sql)?.query_row([event_id], row).optional()? else {
            return Ok(None);
        };
        let text = self.cipher.decrypt(&nonce(number), Payload { msg: &sealed, aad: event_id.as_bytes() });
        // what somebody has altered says nothing
        Ok(text.ok().map(Zeroizing::new).and_then(|text| serde_json::from_slice(&text).ok()))
    }
}

/// No number is used twice under a key.
fn nonce(number: i64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&number.to_be_bytes());
    nonce.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_and_is_not_in_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let sealed = SealedPlaintexts::new(directory.path()).unwrap();
        let says = |body: &str| Plaintext {
            kind: "m.room.message".to_owned(),
            content: format!(r#"{{"body":"{body}"}}"#),
            authenticated: true,
            body: None,
            has: None,
        };
        for at in 0..3_000 {
            sealed.put(&format!("${at}"), &says(&format!("sesame {at}"))).unwrap();
        }
        sealed.put("$7", &says("another")).unwrap();
        let found = sealed.get("$7").unwrap().unwrap();
        assert_eq!((&*found.content, found.authenticated), (r#"{"body":"sesame 7"}"#, true));
        assert!(sealed.get("$none").unwrap().is_none());
        sealed.connection.execute_batch("commit").unwrap();
        let file = std::fs::read(directory.path().join(FILE)).unwrap();
        assert!(file.len() > 100_000 && !file.windows(6).any(|part| part == b"sesame"));
        // what is put in another one's place is nobody's
        sealed
            .connection
            .execute("update plaintext set sealed = (select sealed from plaintext where event_id = '$8') where event_id = '$7'", [])
            .unwrap();
        assert!(sealed.get("$7").unwrap().is_none());
    }
}
