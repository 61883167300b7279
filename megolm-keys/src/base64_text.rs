//! Base64 as it is met: the standard alphabet or that for URLs, padded or not. What is none gives nothing, and no error.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
pub(crate) const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const FOR_URLS: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The bytes of a text; none if it is no base64.
pub(crate) fn decoded(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let text = text.trim();
    let engine = if text.contains(['-', '_']) { &FOR_URLS } else { &STANDARD };
    engine.decode(text).ok().map(Zeroizing::new)
}

/// A text without padding.
pub(crate) fn encoded(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes)
}

/// The same of a key of 32 bytes.
pub(crate) fn key(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    decoded(text)?.as_slice().try_into().ok().map(Zeroizing::new)
}
