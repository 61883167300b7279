//! Files and places, each as one line.

use serde_json::value::RawValue;

use super::Content;
use crate::event::object::{members, text};
use crate::transcript::markdown::{code_span, excerpt, is_media, link, size};

pub(super) const STICKER: &str = "🖼 sticker";
pub(super) const VOICE: &str = "🎤";

/// How much of a remote name is shown.
const NAME: usize = 200;

/// What `info` says of a file.
#[derive(Default)]
struct Info {
    mimetype: Option<String>,
    width: Option<u64>,
    height: Option<u64>,
    size: Option<u64>,
    /// Milliseconds.
    duration: Option<u64>,
}

impl Info {
    fn of(info: Option<&RawValue>) -> Info {
        let mut found = Info::default();
        for (key, value) in info.map(|info| members(info.get())).unwrap_or_default() {
            match &*key {
                "mimetype" => found.mimetype = text(value).map(|kind| excerpt(&kind, 100)),
                "w" => found.width = number(value),
                "h" => found.height = number(value),
                "size" => found.size = number(value),
                "duration" => found.duration = number(value),
                _ => {}
            }
        }
        found
    }
}

/// A whole number that is not negative; the fraction of one that has one is left out.
fn number(value: &RawValue) -> Option<u64> {
    let (whole, fraction) = value.get().split_once('.').unwrap_or((value.get(), ""));
    whole.parse().ok().filter(|_| fraction.bytes().all(|b| b.is_ascii_digit()))
}

/// Renders a file: `🖼 [lag.png](mxc://…) · image/png · 1920×1080 · 84 KB`.
pub(super) fn line(icon: &str, content: &Content) -> String {
    let info = Info::of(content.info);
    let name = excerpt(content.name(), NAME);
    let says_voice = name.to_lowercase().contains("voice");
    let name = match content.url.as_deref().filter(|url| is_media(url)) {
        Some(url) => link(&name, url),
        None => name,
    };
    let mut line = format!("{} {name}", if content.is_voice { VOICE } else { icon });
    let parts = [
        (content.is_voice && !says_voice).then(|| "voice message".to_owned()),
        info.mimetype.filter(|kind| !content.is_voice && !kind.is_empty()),
        info.width.zip(info.height).filter(|(w, h)| *w > 0 && *h > 0).map(|(w, h)| format!("{w}×{h}")),
        info.duration.filter(|duration| *duration > 0).map(duration),
        info.size.filter(|size| *size > 0 && !content.is_voice).map(size),
    ];
    for part in parts.into_iter().flatten() {
        line.push_str(" · ");
        line.push_str(&part);
    }
    line
}

/// Renders milliseconds: `0:07`, `1:02:03`.
fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// Renders a place: its description, and where it is.
pub(super) fn location(content: &Content) -> String {
    let place = content.body.as_deref().map(|body| excerpt(body, NAME)).filter(|place| !place.is_empty());
    let place = place.unwrap_or_else(|| "location".to_owned());
    match content.geo_uri.as_deref().map(|uri| code_span(&uri.chars().take(100).collect::<String>())) {
        Some(uri) if !uri.is_empty() => format!("📍 {place} · {uri}"),
        _ => format!("📍 {place}"),
    }
}
