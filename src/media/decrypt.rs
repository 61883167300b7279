//! What an encrypted attachment is, by the key that an event gives (client-server specification, "Sending encrypted attachments"): AES-CTR
//! with 256 bits, of whose counter block the last 64 bits count.

use ctr::cipher::{KeyIvInit as _, StreamCipher as _};

use super::copy::{Copied, Into};
use crate::archive::Error;
use crate::archive::media::{DecryptedFile, SealedName, plain_id};
use crate::event::hex::digits as hex;

type Cipher = ctr::Ctr64BE<aes::Aes256>;

/// Decrypts a file of the archive by every way whose hash is the file's: nothing but that tells a right key from a wrong one.
pub(super) fn decrypt(into: &mut Into<'_>, sealed: &SealedName) -> Result<Vec<DecryptedFile>, Error> {
    let mut made = Vec::new();
    for way in &sealed.ways {
        if hex(&way.sha256) != sealed.file.sha256 {
            continue;
        }
        let Some(mut file) = into.read(&sealed.file)? else { break };
        let Ok(mut cipher) = Cipher::new_from_slices(&way.key, &way.iv) else { continue };
        let mut new = into.begin()?;
        let poured = into.pour(&mut file, Some(&mut new), &mut |piece| cipher.apply_keystream(piece))?;
        let Some(Copied { kind, bytes, .. }) = poured else {
            into.drop_it()?;
            continue;
        };
        let plain = DecryptedFile { id: plain_id(&sealed.file.sha256, way), kind, bytes };
        into.place(&plain.path())?;
        made.push(plain);
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The end of the last 64 bits does not carry into the first.
    #[test]
    fn the_counter_has_64_bits() {
        let (key, mut iv) = ([7; 32], [9; 16]);
        iv[8..].fill(0xff);
        let stream = |iv: [u8; 16], length: usize| {
            let mut stream = vec![0; length];
            Cipher::new_from_slices(&key, &iv).unwrap().apply_keystream(&mut stream);
            stream
        };
        let two = stream(iv, 32);
        iv[8..].fill(0);
        assert_eq!(two[16..], stream(iv, 16));
    }
}
