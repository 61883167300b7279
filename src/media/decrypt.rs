//! What an encrypted attachment is, by the key that an event gives (client-server specification, "Sending encrypted attachments"): AES-CTR
//! with 256 bits, of whose counter block the last 64 bits count.

use ctr::cipher::{KeyIvInit as _, StreamCipher as _};

use super::copy::{Copied, Into};
use crate::archive::Error;
use crate::archive::media::{DECRYPTED, SealedName, hex, plain_id};
use crate::document::media::FileType;

type Cipher = ctr::Ctr64BE<aes::Aes256>;

/// Decrypts a file of the archive by every way whose hash is the file's: nothing but that tells a right key from a wrong one.
pub(super) fn decrypt(into: &mut Into<'_>, sealed: &SealedName) -> Result<Vec<(String, FileType, u64)>, Error> {
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
        let id = plain_id(&sealed.file.sha256, way);
        into.place(DECRYPTED, &id, kind)?;
        made.push((id, kind, bytes));
    }
    Ok(made)
}
